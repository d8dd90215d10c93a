#!/bin/sh
# initramfs.sh OUT [NAME=FILE...]: an initramfs of Debian's static busybox in the file OUT. Its init mounts the usual
# file systems and gives a shell on ttyS0; when the image has a program /etc/autorun (put there by NAME=FILE, as may be
# any other file), that runs instead and the machine powers off after it.
set -eu
. "$(dirname "$0")/common.sh"

out=$1
shift
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/bin" "$tree/sbin" "$tree/etc" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/tmp" "$tree/root" "$tree/var"
chmod 1777 "$tree/tmp"
cp "$deps/busybox/busybox" "$tree/bin/busybox"
ln -s busybox "$tree/bin/sh"
ln -s ../bin/busybox "$tree/sbin/init"
cat > "$tree/init" <<'INIT'
#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
export PATH=/bin:/sbin HOME=/root PS1='\w # '
hostname bmbt
exec /sbin/init
INIT
cat > "$tree/etc/inittab" <<'TAB'
::sysinit:/etc/rc
ttyS0::respawn:-/bin/sh
::ctrlaltdel:/bin/reboot
TAB
cat > "$tree/etc/rc" <<'RC'
#!/bin/sh
if [ -e /etc/autorun ]; then
    sh /etc/autorun
    poweroff -f
fi
echo
echo "Debian's kernel $(uname -r) on $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
echo "A busybox shell. Leave with poweroff, or Ctrl-A x."
RC
echo 'root:x:0:0:root:/root:/bin/sh' > "$tree/etc/passwd"
echo 'root:x:0:' > "$tree/etc/group"
chmod 755 "$tree/init" "$tree/etc/rc"
for entry; do
    mkdir -p "$(dirname "$tree/${entry%%=*}")"
    cp "${entry#*=}" "$tree/${entry%%=*}"
done
mkdir -p "$(dirname "$out")"
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) > "$out.new"
mv "$out.new" "$out"
