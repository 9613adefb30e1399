"""A mail server for tests: aiosmtpd, told what to do by one JSON argument, telling what it received by JSON lines.

The first line is {"port", "certificate"}; each further one is a mail, taken apart by Python's own parser. It ends when its
standard input does, and so never outlives the test. A line there is its mood from then on: "taking", "busy", "silent",
"greylisting" or "dropping".
"""

import asyncio
import datetime
import email
import email.policy
import ipaddress
import json
import logging
import os
import ssl
import sys
import tempfile
import threading

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Clients that give up in the middle are what is tested.
logging.disable()
options = json.loads(sys.argv[1])


# Two threads tell, and each line has to stay whole.
telling = threading.Lock()


def tell(line):
    with telling:
        print(json.dumps(line), flush=True)


def make_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.utcnow()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def take_apart(content):
    mail = email.message_from_bytes(content, policy=email.policy.default)
    parts = [
        {
            "type": part.get_content_type(),
            "charset": part.get_content_charset(),
            "encoding": part["Content-Transfer-Encoding"],
            "text": part.get_content(),
            "defects": [str(defect) for defect in part.defects],
        }
        for part in mail.walk()
        if not part.is_multipart()
    ]
    return {
        "type": mail.get_content_type(),
        "headers": [[name, str(value)] for name, value in mail.items()],
        "defects": [str(defect) for defect in mail.defects],
        "parts": parts,
    }


mood = "taking"


def listen():
    global mood
    for line in sys.stdin:
        mood = line.strip()
        tell({"mood": mood})


class Server(SMTP):
    async def smtp_EHLO(self, hostname):
        if options["hello"]["asked"] == "ehlo" and not is_accepted(hostname):
            await self.push(f"501 5.5.2 <{hostname}>: Helo command rejected: need fully-qualified hostname")
        else:
            await super().smtp_EHLO(hostname)

    async def smtp_DATA(self, arg):
        if mood == "dropping":
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            await self._reader.readline()
            self.transport.abort()
        else:
            await super().smtp_DATA(arg)


def is_accepted(hello):
    is_literal = hello is not None and hello.startswith("[")
    is_name = hello is not None and not is_literal and "." in hello
    return {"anything": True, "full": is_name or is_literal, "names": is_name}[options["hello"]["accepted"]]


greylist = set()


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if address.startswith("forbidden@"):
            return f"550 5.7.1 <{address}>: you may not send as this"
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if not is_accepted(session.host_name):
            return f"504 5.5.2 <{session.host_name}>: Helo command rejected: need fully-qualified hostname"
        if mood == "busy":
            return "451 4.3.2 busy, try again later"
        if mood == "silent":
            await asyncio.sleep(3600)
        if mood == "greylisting" and address not in greylist:
            greylist.add(address)
            return f"451 4.7.1 <{address}>: greylisted, come again"
        local = address.split("@")[0]
        if local == "refused":
            return f"550 5.1.1 <{address}>: no such user here"
        if local == "relayed":
            return f"554 5.7.1 <{address}>: Relay access denied"
        if local == "later":
            return f"451 4.7.1 <{address}>: try again later"
        if local == "silence":
            await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        local = envelope.rcpt_tos[0].split("@")[0]
        if local == "vanished":
            return f"550 5.1.1 <{envelope.rcpt_tos[0]}>: is no more"
        if local == "unverified":
            return "554 Message rejected: the address that it is from is not verified"
        tell(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "tls": session.ssl is not None or options["tls"] == "implicit",
                "login": session.auth_data,
                "hello": session.host_name,
                "smtputf8": envelope.smtp_utf8,
                "peer_port": session.peer[1],
                "content": envelope.content.decode("utf-8", "surrogateescape"),
                **take_apart(envelope.content),
            }
        )
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    name = data.login.decode()
    if [name, data.password.decode()] != options["login"]:
        return AuthResult(success=False, handled=False)
    # What is put here becomes the `auth_data` of the session.
    return AuthResult(success=True, auth_data=name)


async def main():
    certificate, key = make_certificate()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + key)
        file.flush()
        context.load_cert_chain(file.name)
    starttls = options["tls"] == "starttls"
    login = options["login"] is not None

    def session():
        return Server(
            Handler(),
            enable_SMTPUTF8=options["smtputf8"],
            tls_context=context if starttls else None,
            require_starttls=starttls,
            auth_required=login,
            auth_require_tls=starttls,
            authenticator=authenticate if login else None,
            hostname="mail.test",
        )

    loop = asyncio.get_running_loop()
    implicit = context if options["tls"] == "implicit" else None
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=implicit)
    tell({"port": server.sockets[0].getsockname()[1], "certificate": certificate.decode()})
    await loop.run_in_executor(None, listen)
    # Sessions that are still open need not be waited for.
    os._exit(0)


asyncio.run(main())
