#!/bin/sh
# Courier's POP3 server in the foreground: courier.sh FOLDER PORT. peers.py runs it in a mount namespace of its own,
# because Courier's paths are fixed: its /etc/courier and /run/courier are folders below FOLDER, and what the package
# has there stays as it is. Corrections are welcome.
#
# As Debian ships it, but for three things: users come from FOLDER/userdb instead of PAM, 8 and more connections may
# come from one address (MAXPERIP is 4, MAXDAEMONS 40), and log lines go to a file instead of syslog.
set -eu
folder=$1
port=$2
mkdir -p "$folder/etc" "$folder/run/authdaemon" /run/courier
cp -R /etc/courier/. "$folder/etc"
mv "$folder/userdb" "$folder/etc/userdb"
chmod 600 "$folder/etc/userdb"
sed -i 's/^authmodulelist=.*/authmodulelist="authuserdb"/' "$folder/etc/authdaemonrc"
mount --make-rprivate /
mount --bind "$folder/etc" /etc/courier
mount --bind "$folder/run" /run/courier
/usr/sbin/makeuserdb
/usr/lib/courier/courier-authlib/authdaemond &
while [ ! -S /run/courier/authdaemon/socket ]; do sleep 0.05; done
exec /usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=2000 -maxperip=2000 -maxperc=2000 \
    -nodnslookup -noidentlookup "$port" \
    /usr/lib/courier/courier/courierpop3login /usr/lib/courier/courier/courierpop3d Maildir
