# Run by autorun: what a user program reaches.
/etc/escape
echo '== window'
/etc/escape window
echo '== end'
