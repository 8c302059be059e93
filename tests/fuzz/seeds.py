#!/usr/bin/python3
"""Writes inputs to begin with into FOLDER: `seeds.py TARGET FOLDER`. They are made of the
transcripts, the sample mail, conf/restante.toml and examples of each format; `tools/fuzz TARGET
--keep` takes what is worth it of them into the corpus."""
import glob
import os
import struct
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
import transcript  # noqa: E402  (its folder is known only now)

REPLY, WAIT, FINISH, CLOSE, RESET, CONNECT, FLAG, REMOVE = (bytes([0xFF, event]) for event in range(8))
EVENTS = {"wait": WAIT, "close": CLOSE, "open": CONNECT, "flag": FLAG, "remove": REMOVE}
SPLITS = (0, 1, 77)

JWT = ("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLm"
       "NvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmW"
       "QxfKTUJqPP3-Kg6NU1Q")  # RFC 7515 A.3
CLAIMS = (b'{"iss":"https://id.example.org","sub":"mrose","username":"mrose","aud":["pop","imap"],'
          b'"exp":1800000000,"nbf":1600000000,"iat":1.6e9,"scope":"mail read","active":true}')
EC_KEY = (b'{"keys":[{"kty":"EC","crv":"P-256","kid":"1","use":"sig","alg":"ES256",'
          b'"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",'
          b'"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}')
PEM_KEY = (b"-----BEGIN PUBLIC KEY-----\n"
           b"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
           b"6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
           b"-----END PUBLIC KEY-----\n")
RESPONSES = [  # by mechanism, in the order of SaslMechanism
    [b"", b"tim"],
    [b"p=tls-exporter,,n=mrose,r=abc\nc=cD10bHMtZXhwb3J0ZXIsLGV4cG9ydGVk,r=\x02,p=AAAA"],
    [b"n,,n=mrose,r=fyko\nc=biws,r=\x02,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=\n",
     b"y,a=tim,n=m=2Cro=3Dse,r=x\nc=eSxhPXRpbSw=,r=\x02,p="],
    [b"p=tls-unique,,n=mrose,r=abc\nc=cD10bHMtdW5pcXVlLCxmaW5pc2hlZA==,r=\x02,p=AAAA"],
    [b"n,,n=mrose,r=fyko\nc=biws,r=\x02,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="],
    [b"n,a=mrose,\x01host=pop.example.org\x01port=995\x01auth=Bearer abc.def\x01\x01\n\x01",
     b"n,,\x01auth=bearer a\x01\x01"],
    [b"user=mrose\x01auth=Bearer ya29.vF9dft4qmTc2\x01\x01\n"],
    [b"\0mrose\0secret", b"tim\0mrose\0secret", b"\nx\0y\0z"],
    [b"mrose\nsecret", b"\nmrose\nsecret"],
    [b'charset=utf-8,username="mrose",realm="pop.example.org",nonce="\x02",nc=00000001,cnonce="x",'
     b'digest-uri="pop/pop.example.org",response=d388dad90d4bbd760a152321f2143af7,qop=auth,'
     b'authzid="m\\"rose"\n'],
    [b"mrose b913a602c7eda7a495b4e6e7334d3890"],
]
PASSWD = [
    b"\xef\xbb\xbf# users\nmrose:{PLAIN}secret\ntim:{SHA512-CRYPT}$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2"
    b"/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/:1000:1000:g:/home/tim:/bin/sh:userdb_mail=maildir:~/M:LAYOUT=fs "
    b"allow_nets=10.0.0.0/8,::1 nologin\r\nMrose:{plain}other\n\nbad\n:x\na@b.example:{SSHA256.hex}00\nlocked:!",
    b"a:{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=\nb:{MD5}$1$abcdefgh$0\nc:{SCRAM-SHA-256}4096,c2FsdA==,"
    b"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=,a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\nd:{PLAIN-MD5}"
    b"5f4dcc3b5aa765d61d8327deb882cf99::::::disablepop3=yes userdb_home=/h userdb_mail=maildir:/var/%u",
    b"e:{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ\n"
    b"f:{BLF-CRYPT}$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe\ng:{PBKDF2}$1$salt$5000$00\nh:*\ni:{NO}x\n",
]
UIDLISTS = [
    b"3 V1130000000 N30 G3085f01b7f11094c501100008c4a11c1\n25 :1.a.host,S=5:2,S\n"
    b"26 S5 W6 Pold-id O7 G0123 Zfuture :2.b.host,S=5:2,\n27 P :3.c.host:with colons: and spaces\n",
    b"1 1130000000 28\n26 1.a:2,S\n27 :odd\n26 1.a\n3 x\nno uid\n",
    b"5 Pa:b  S1 :name with space :2,\n4 :b\n4 :c\n",
]
SIZELISTS = [
    b"/2 30 1130000000\n1.a.host,S=5:2,S 120 25:1130000000\n2.b 7 0:0\n2.b 8 3:4\ntorn",
    b"/3 30 1130000000\n1.a.host 120 25:1130000000:1\nodd name+'\" 1 2:3:0\n", b"1.a.host 120\n2.b:2, 7\n",
    b"/1 3\n1.a 12 25\n", b"/9\n1.a 12 25\n1.b 12 25:7\n",
]
FORMATS = [b"%08Xu%08Xv", b"%{uid | hex(8)}%{uidvalidity | hex(8)}", b"%f", b"%Mf%%x", b"%-5.3LUu%v", b"%g%u",
           b"%{filename | md5 | upper}", b"%{guid|lower|hexlify}", b"%10.20Rf", b"%Ru%v", b"%{uid}", b"%Xm", b"%{"]
NAMES = [b"1204680122.27c448bf.host,S=1234,W=1260:2,S", b"1000000001.M20046P2137.mailserver",
         b"1000000001.V801I2a4M123.host", b"no time", b".hidden", b"007.M0.x", b"7.#5M7P1.x:2,", b"5.X3R9M12Q4.y,S=1,x"]
NETWORKS = [b"192.0.2.0/24,2001:db8::/32,198.51.100.7", b"local", b"::ffff:192.0.2.1/120", b"127.0.0.1:110",
            b"[::1]:995", b"[2001:db8::7]:0", b"0.0.0.0:65535", b"10.0.0.0/33", b"::/0,local,"]
CONFIGS = [
    b"\x01", b"\x01limits.idle_timeout = \"11m\"\nlimits.conections = 5\n[pop3]\nunique_id = \"dovecot\"\n",
    b"\x01[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n[tls.name.\"pop.example.net\"]\ncertificate = \"c\"\n"
    b"key = \"k\"\n[listener.pop3s]\naddress = [\"[::1]:995\"]\ntls = \"required\"\n",
    b"\x01[auth]\nmechanisms = [\"PLAIN\", \"OAUTHBEARER\", \"XOAUTH2\"]\n[auth.token]\ntype = \"jwt\"\nkeys = \"k\"\n",
    b"\x00[}", b"\x00a = 10m\n[limits]\nlogin_timeout = '1s'\n", b"\x01auth.default_domain = \"\\u00e9\\n\\\\\"\n",
]


def client_hellos():
    """What OpenSSL's client sends first, TLS 1.2 and 1.3."""
    import ssl
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context()
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["pop3"])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname="pop.example.org")
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            yield outgoing.read()


def index_file(messages):
    """A restante.index whose magic, version and checksum the target puts right (index_layout.h)."""
    records, text, dots = b"", b"", b""
    for name, unique_id, positions in messages:
        base = len(name.split(b":")[0])
        dots_after = len(dots) // 8 + 1 if positions else 0
        if positions:
            dots += struct.pack(f"={1 + len(positions)}Q", len(positions), *positions)
        is_current, id_follows = 1, not name.startswith(unique_id)
        records += struct.pack("=QqQQQII", 11, 5, 1000 | len(name) << 48 | is_current << 61 | id_follows << 63,
                               1010 | base << 48, 77 | len(unique_id) << 48, len(text), dots_after)
        text += name + (unique_id if id_follows else b"")
    identity = struct.pack("=QQQqqQ", 1, 2, 3, 4, 5, 3)
    retired = struct.pack("=QII", 99, 0, 3)
    head = struct.pack("=8sIIQQIIIIQII", b"restante", 0x01020304, 4, 0, 1010 * len(messages), len(messages), 1,
                       len(dots) // 8, len(text), 7, 8, 0)
    return head + 4 * identity + records + retired + dots + text


def index_seeds():
    messages = [(b"1.a.host,S=5:2,S", b"1.a.host,S=5", []), (b"2.b.host", b"0000001a435a6e80", [3, 6]),
                (b"odd \xe9 name", b"c0011", list(range(0, 32, 2)))]
    for count in range(1, len(messages) + 1):
        yield b"\x01" + index_file(messages[:count])
    yield b"\x00" + index_file(messages)
    yield b"\x02"
    yield b"\x02\x01\x10\x0c\x01\x1e\x80"


def transcripts():
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "transcripts", "*.pop3"))):
        yield transcript.Transcript(path)


def session_seeds():
    for number, played in enumerate(transcripts()):
        script, before = b"", "open"
        for step in played.steps[1:]:
            if step.kind == "send":
                script += (REPLY if before in ("line", "skip") else b"") + step.value
            script += EVENTS.get(step.kind, b"")
            before = step.kind
        is_random = any("apop" in table or "mechanisms" in table for table in played.settings.values())
        yield bytes([number, number % 7, is_random]) + script
        yield bytes([number, number % 7, 2 | is_random]) + script.replace(REPLY, b"")


def lines_of_clients():
    for played in transcripts():
        for step in played.steps:
            if step.kind == "send":
                yield step.value


def mail():
    yield from (b"", b"a: b\n\n.\n..c\r\n.", b"\n", b"\r\n.\r\n", b"no body", b"a\rb\n\r\n.x\n" * 20)
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "corpus", "real", "*.eml"))):
        with open(path, "rb") as file:
            octets = file.read()
        if len(octets) < 1500:
            yield octets


def read(*path):
    with open(os.path.join(ROOT, *path), "rb") as file:
        return file.read()


def seeds():
    """Target -> its inputs."""
    lines = list(lines_of_clients())
    header, claims, signature = b'{"alg":"ES256","typ":"JWT","kid":"1"}', CLAIMS, b"\0" * 64
    return {
        "base64": [b"", b"AA==", b"AAA=", b"AB==", b"Zm9vYmFy", b"-_-_", b"Zm9v YmFy", b"\xff\xfe"],
        "command": [bytes([state]) + line.split(b"\n")[0].rstrip(b"\r") for state in (0, 1) for line in lines],
        "config": CONFIGS + [b"\x00" + read("conf", "restante.toml")[:4000]],
        "index": list(index_seeds()),
        "introspection": [bytes([bits]) + CLAIMS for bits in (0, 8, 15)] + [b'\x08{"active":true,"username":"m"}'],
        "jwt": [b"\0" + JWT.encode(), b"\1" + b"\0".join([header, claims, signature]), b'\1{"alg":"none"}\0{}\0'],
        "jwt_keys": [EC_KEY, PEM_KEY, PEM_KEY * 2, b'{"keys":[]}', b'{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}'],
        "line_reader": [bytes([split, limit, 0]) + b"".join(lines[at:at + 12])[:2000] for at in range(0, len(lines), 60)
                        for split, limit in ((0, 0), (1, 1), (77, 30))]
                       + [bytes([split, 0, 255]) + text for split in SPLITS for text in (b"x" * 300, b"x" * 299 + b"\n")],
        "listing": [bytes(7) + b"\x08\1" + bytes(7) + b"x\2abc\0\0\2~!\0", b"\0" * 5 + b"\x98\x96\x7e\1" + b"\xff" * 9],
        "maildir_name": [b"\0".join(NAMES), b"\0".join(reversed(NAMES))] + NAMES,
        "message": [bytes([split, 2]) + octets for octets in mail() for split in SPLITS],
        "networks": NETWORKS,
        "passwd_file": PASSWD,
        "sasl": [bytes([mechanism, bits]) + text for mechanism, texts in enumerate(RESPONSES) for text in texts
                 for bits in (3, 7)],
        "session": list(session_seeds()),
        "sizelist": SIZELISTS,
        "tls": [bytes([0, split]) + hello for hello in client_hellos() for split in SPLITS]
               + [b"\1", b"\3", b"\1\0\x05\1", b"\3\1\x20\x80", b"\0\0GET / HTTP/1.1\r\n\r\n"],
        "uidl_format": [text + b"\0001.a.host,S=5" for text in FORMATS],
        "uidlist": UIDLISTS,
    }


def main():
    target, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for number, octets in enumerate(seeds()[target]):
        with open(os.path.join(folder, f"{number:04}"), "wb") as file:
            file.write(octets)


if __name__ == "__main__":
    main()
