"""Who may log in, and how that is proved."""

import base64
import hashlib
import re
import secrets
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from refusal import Refusal

PASSPHRASE = "a long passphrase"


class KeyPair:
    """A key in every form that users paste."""

    def __init__(self):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.public = key.public_key()

        def pem(form, cipher=None):
            return key.private_bytes(Encoding.PEM, form, cipher or NoEncryption()).decode()

        self.forms = {
            "private_key": pem(PrivateFormat.PKCS8),
            "private_key_encrypted": pem(PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode())),
            "private_key_passphrase": PASSPHRASE,
            "private_key_pkcs1": pem(PrivateFormat.TraditionalOpenSSL),
        }


class User:
    """A user with every credential there is; a test may take some away or replace them."""

    def __init__(self, name, key):
        self.name = name.upper()
        self.password = secrets.token_urlsafe(16)
        self.tokens = {
            "PROGRAMMATIC_ACCESS_TOKEN": {secrets.token_urlsafe(40)},
            "OAUTH": {secrets.token_urlsafe(40)},
        }
        self.keys = [key.public]
        self.forms = key.forms

    def credentials(self):
        [access], [oauth] = (list(tokens) for tokens in self.tokens.values())
        return {
            "user": self.name,
            "password": self.password,
            "access_token": access,
            "oauth_token": oauth,
            **self.forms,
        }

    def add_key(self, pem):
        """A further public key: both are good while keys are changed."""
        self.keys = [*self.keys[-1:], load_pem_public_key(pem.encode())]

    def check(self, account, data):
        """Raises unless the login request proves this user."""
        kind = (data.get("AUTHENTICATOR") or "SNOWFLAKE").upper()
        if kind == "SNOWFLAKE":
            # An access token is also taken where a password is.
            known = {self.password, *self.tokens["PROGRAMMATIC_ACCESS_TOKEN"]}
            if data.get("PASSWORD") not in known:
                raise Refusal(390100, "Incorrect username or password was specified.", "08001")
        elif kind == "SNOWFLAKE_JWT":
            self._check_jwt(account, data.get("TOKEN") or "")
        elif kind in self.tokens:
            if data.get("TOKEN") not in self.tokens[kind]:
                code, what = (
                    (390303, "OAuth access token")
                    if kind == "OAUTH"
                    else (394400, "Programmatic access token")
                )
                raise Refusal(code, f"{what} is invalid.", "08001")
        else:
            raise Refusal(390190, f"There was an error related to the authenticator {kind}.", "08001")

    def _check_jwt(self, account, token):
        subject = f"{account}.{self.name}"
        for key in self.keys:
            try:
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=["RS256"],
                    leeway=30,
                    options={"require": ["iss", "sub", "iat", "exp"]},
                )
            except jwt.InvalidTokenError:
                continue
            der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            fingerprint = base64.b64encode(hashlib.sha256(der).digest()).decode()
            is_right = claims["sub"] == subject and claims["iss"] == f"{subject}.SHA256:{fingerprint}"
            if is_right and claims["exp"] - claims["iat"] <= 3600 and claims["exp"] - time.time() <= 3660:
                return
        raise Refusal(390144, "JWT token is invalid.", "08001")


def account_name(asked):
    """The account of a login request: what stands before the first dot, in upper case."""
    return re.split(r"[.]", asked or "")[0].upper()
