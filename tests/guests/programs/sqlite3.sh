# sqlite3: a table of 20,000 rows.
echo == sqlite3
sqlite3 database <<'SQL'
create table t (n integer primary key, square integer, text text, real real);
with recursive c(n) as (select 1 union all select n + 1 from c where n < 20000)
    insert into t select n, n * n, printf('%x', n), n / 7.0 from c;
create index by_text on t (text);
select count(*), sum(square), avg(real), max(text) from t;
select n, text, round(real, 6) from t where text like 'a%c' order by n desc limit 5;
update t set real = real * 2 where n % 3 = 0;
select total(real) from t;
delete from t where n > 100;
vacuum;
pragma integrity_check;
SQL
