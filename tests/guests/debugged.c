// What the guest of the debugger's tests does all the time, in a language with lines and frames.

struct {
    int first, second;
} pair;
volatile unsigned progress, result;

int leaf(int number) {
    pair.first = number;
    return number * 3;
}

int middle(int number) {
    int tripled = leaf(number);
    pair.second = tripled;
    return tripled + 1;
}

int outer(int number) {
    int sum = middle(number);
    sum += middle(number + 1);
    return sum;
}

void count_for_ever(void) {
    for (;;) {
        progress++;
        result = (unsigned)outer((int)(progress & 7));
    }
}
