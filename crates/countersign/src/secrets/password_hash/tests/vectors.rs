//! Hashes written by other libraries: Django 5.2, passlib 1.7, pwdlib 0.3, argon2-cffi 25.1, bcrypt 4.0 and (for the
//! `RustCrypto` spelling) Python's hashlib. The costs are low, to keep the tests fast.

pub(super) const PASSWORD: &str = "correct horse battery staple";
pub(super) const UNICODE_PASSWORD: &str = "Zażółć 🔑 gęślą";

/// The output of pwdlib's `PasswordHash.recommended().hash(PASSWORD)`.
pub(super) const PWDLIB_RECOMMENDED: &str =
    "$argon2id$v=19$m=65536,t=3,p=4$ZplKARI7oQ4wJVBW9f4C/A$PW5KVB0ZizzjYjxfIfBnpXWHr6mAXSyqVLUDZA1IThE";

/// The output of argon2-cffi for `PASSWORD`, the salt 00 01 … 0f, 64 KiB, 2 iterations and 2 lanes.
pub(super) const ARGON2_CFFI_FIXED_SALT: &str =
    "$argon2id$v=19$m=64,t=2,p=2$AAECAwQFBgcICQoLDA0ODw$3lna1VFG/f/wo75QIhAuAd1qbdP6wPuUV2Zp7X1x+NY";

#[derive(Debug, Clone, Copy)]
pub(super) struct Vector {
    pub(super) producer: &'static str,
    pub(super) stored: &'static str,
    pub(super) password: &'static str,
}

const fn vector(producer: &'static str, password: &'static str, stored: &'static str) -> Vector {
    Vector { producer, stored, password }
}

pub(super) const VECTORS: &[Vector] = &[
    vector(
        "passlib",
        PASSWORD,
        "$argon2id$v=19$m=64,t=2,p=2$n5NSCgGg1DpH6L1XKuV8jw$nfbcrPIBBborpP0IIBW392BcIjOgRF8KDvEc40TnEUo",
    ),
    vector(
        "passlib",
        PASSWORD,
        "$argon2i$v=19$m=64,t=2,p=2$fE+JEcK4d66VkvL+f+/d+w$L9YxrCMwux5SkumiRInwLdlanCeNjTnX+IOpmAe8Foo",
    ),
    vector(
        "passlib",
        PASSWORD,
        "$argon2d$v=19$m=64,t=2,p=2$ImRMaU1JKYUQgjCmVKoVwg$21LUy9BBbu/J3+44Y49t7D0ZGooxo89lX8IDrz/o//s",
    ),
    vector(
        "argon2-cffi",
        PASSWORD,
        "$argon2id$v=16$m=64,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$ZVlXpEpwMIqM1XkWGsIYd7A34Uni/yVvdIlielabe28",
    ),
    vector(
        "argon2-cffi, without the version",
        PASSWORD,
        "$argon2id$m=64,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$ZVlXpEpwMIqM1XkWGsIYd7A34Uni/yVvdIlielabe28",
    ),
    vector(
        "argon2-cffi",
        PASSWORD,
        "$argon2id$v=19$m=64,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$w2NY/Xs/cL1hXwkR8FFy3yC7cOQqvMdJ91DWl29E+lw",
    ),
    vector(
        "argon2-cffi",
        PASSWORD,
        "$argon2i$v=16$m=64,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$O4MUopXYONlj1a2Gig/StRErDD8apdUHN/k9mvSV0zI",
    ),
    vector(
        "argon2-cffi, without the version",
        PASSWORD,
        "$argon2i$m=64,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$O4MUopXYONlj1a2Gig/StRErDD8apdUHN/k9mvSV0zI",
    ),
    vector(
        "argon2-cffi",
        PASSWORD,
        "$argon2i$v=19$m=64,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$LDRR0LU9m5moXoM+zR1rXBjt1PD1CFkvcLPaYuRROTA",
    ),
    vector(
        "argon2-cffi",
        PASSWORD,
        "$argon2d$v=16$m=64,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$fZdUHbYiUKBNAbuvR1FXRh0bE19ghADRx9XN6jaLRPk",
    ),
    vector(
        "argon2-cffi, without the version",
        PASSWORD,
        "$argon2d$m=64,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$fZdUHbYiUKBNAbuvR1FXRh0bE19ghADRx9XN6jaLRPk",
    ),
    vector(
        "argon2-cffi",
        PASSWORD,
        "$argon2d$v=19$m=64,t=2,p=1$c2l4dGVlbiBieXRlIHNsdA$FiPsFdEoFV7Xz+/j9+5BGAJnbHNIsa3rZ5BAN+q3VPY",
    ),
    vector(
        "argon2-cffi, 8-byte salt and 16-byte tag",
        PASSWORD,
        "$argon2id$v=19$m=32,t=1,p=4$OGJ5dGVzISE$+II5P0BGWnlO4nH4GAJcuw",
    ),
    vector("passlib", PASSWORD, "$2a$04$2jGli5wR601YbWtlJRyede0zPqJWeyikStz.DUs0groQxjnUg.Y.K"),
    vector("passlib", PASSWORD, "$2b$04$Arwy.co15JKObweM.9ODd.I.X3gsPzFoJfufoHdDvTKm2rVN6TeRS"),
    vector("passlib", UNICODE_PASSWORD, "$2y$04$y3PO/YNuXIqKx03PGxf/V.an56wuQsQH5gVbh9.h/ANDtAIR0RrCy"),
    vector("bcrypt", PASSWORD, "$2b$05$P.GqoNtBrOZp1VAad7mPGOVjs1ktqiz7164jenU/1F/GZTQx7PDgC"),
    vector(
        "bcrypt, 80 bytes",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "$2b$04$rVXw.1GDZ3J3XPWt8S6Qtu643flcJwzU8NamAaX2j9ovz8qySBYpy",
    ),
    vector(
        "bcrypt, 72 bytes",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "$2b$04$WSlcymfMubTm9r3ATIEYfO5gXIncxojbgOMFBTEL2uOvk68oeppeG",
    ),
    vector("bcrypt, empty password", "", "$2b$04$xr693lHEG2xjFmPr6C1LserC.ljqidiezP4V33L5bbJAPXw7Pildi"),
    vector(
        "bcrypt, 80 bytes that are 40 characters",
        "żżżżżżżżżżżżżżżżżżżżżżżżżżżżżżżżżżżżżżżż",
        "$2b$04$9Si1y4vVQRl2vmbaS6uRNO2f2gSxOLSVF6cQkSPy.RPNRQ/sjsu5.",
    ),
    vector(
        "bcrypt, 260 bytes, more than a byte counts",
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        "$2a$04$moOMBb.Kpo0AzlcSv3pzTeDthnsZW4NAcbiupYg4QX3bs5ptyidTy",
    ),
    vector(
        "passlib",
        PASSWORD,
        "$scrypt$ln=4,r=8,p=2$bI0xBoCQMoZQqnWu1boXog$wRYFnjQnVh3S8yyW60vbXxqMysKgEtV9PyHdtgt3+QE",
    ),
    vector(
        "passlib",
        UNICODE_PASSWORD,
        "$scrypt$ln=5,r=1,p=1$BUDIOacUglDKmVPqHcP4/w$9Y2wSOotV3iWzhetp+NzeA+ypeQDjWBMDJVptkBJBdw",
    ),
    vector("passlib", PASSWORD, "$pbkdf2$10$./......//8$/B.fgoVoofrv21GWivACEtSE.4s"),
    vector("passlib", PASSWORD, "$pbkdf2-sha256$10$./......///7$QoCeMZj0nAytVYEPOIwH4U8IdhzDRiO.ez6HlRqsgwU"),
    vector(
        "passlib",
        UNICODE_PASSWORD,
        "$pbkdf2-sha512$10$./......//8$HZJnW5BMLOynEyrHa1gDbOWeyeDDPJFaETwY.fJ8LKjrPLGvqAP/51OI8nbp0o0uUXhWJG/KDoTnERjtxuWEnw",
    ),
    vector(
        "hashlib",
        PASSWORD,
        "$pbkdf2-sha256$i=100,l=32$c2FsdHNhbHRzYWx0c2FsdA$j57vuu/WRDVcDMaYpVSm7osFiFxcMyMJXW4pG6JzLUc",
    ),
    vector(
        "hashlib",
        PASSWORD,
        "$pbkdf2-sha256$i=100$c2FsdHNhbHRzYWx0c2FsdA$j57vuu/WRDVcDMaYpVSm7osFiFxcMyMJXW4pG6JzLUc",
    ),
    vector(
        "hashlib",
        UNICODE_PASSWORD,
        "$pbkdf2-sha512$i=100,l=32$c2FsdHNhbHRzYWx0c2FsdA$gebwcoPaf73W3yYO774bRCG/ufgMGM1Bss9aUWR6PZQ",
    ),
    vector(
        "hashlib",
        PASSWORD,
        "$pbkdf2-sha512$i=100,l=64$c2FsdHNhbHRzYWx0c2FsdA$3/7pauEs8UUjKIuSny5maDFxpAUfMEbb+W6UtMA6H3TlY9MTxyHzK7opw0ztz+SpB9R3erh9U4YU53pBsFDVkQ",
    ),
    vector("hashlib", PASSWORD, "$pbkdf2$i=100$c2FsdHNhbHRzYWx0c2FsdA$0qZEcVbBu/OPnvVEehrzDjUWhpU"),
    vector(
        "hashlib",
        PASSWORD,
        "$pbkdf2$i=100,l=48$c2FsdHNhbHRzYWx0c2FsdA$0qZEcVbBu/OPnvVEehrzDjUWhpU/Iv3rYnU4JLafCe01Wd6LJGFXFchF8OFe13md",
    ),
    vector("Django", PASSWORD, "pbkdf2_sha256$10$seasaltseasalt22chars1$rCKweP3mRS6Vl01yUycXOFEWOUyuMLrwABVW3RYJTwA="),
    vector("Django", UNICODE_PASSWORD, "pbkdf2_sha256$10$yJ4bTx0q3v1d$YgfPKlGue2e466a1LH9oHzNrOdM6eFNBY0QWsCM8YmI="),
    vector("Django", PASSWORD, "pbkdf2_sha1$10$seasaltseasalt22chars1$iZdqYCMGg54UW/a7xRy4DKDce+o="),
    vector(
        "Django",
        PASSWORD,
        "argon2$argon2id$v=19$m=64,t=1,p=8$bUVKOTMwSUlPZG5WTVBsR1JOUVdieA$OboqPpGylxGpVokywPOa8NKOKm45FDWaCEghl/YyZz0",
    ),
    vector(
        "Django",
        UNICODE_PASSWORD,
        "argon2$argon2id$v=19$m=64,t=1,p=8$NjRtd3IxTkFUOWNEbUt2cU5ubjJjaw$HOSxbtrCfaCKHTQkx2gqRrIfuB/54LzTi3k7qejEeKM",
    ),
    vector("Django", PASSWORD, "bcrypt$$2b$04$2rmBhEi7haa6IvA7dCbH7.94ZmwcNKEKwpHtNluoPGPAhYRCJZFlK"),
    vector("Django", PASSWORD, "bcrypt_sha256$$2b$04$wQ9y5FhLAhQ57WzPUl6cGOAkvOKfFFcSQkbBmrkiDkqoZ/598t3mu"),
    vector(
        "Django, more than 72 bytes before SHA-256",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "bcrypt_sha256$$2b$04$S9ShzbgF.0.U0UhxZc.zAeBxGT6y66qBSsMQ9Hm78DTukW38VfWV6",
    ),
    vector(
        "Django",
        PASSWORD,
        "scrypt$16$seasaltseasalt22chars1$8$5$DLj1FHwPoWmpzg3y6gQAcqFq1wB+XAffchggsNWZQHpoNyd+Kys2V60tFexycFgX2XJ3mmRWIzocENtTC+KFrA==",
    ),
    vector(
        "Django",
        UNICODE_PASSWORD,
        "scrypt$4$yJ4bTx0q3v1dYJ4bTx0q3v$1$1$jrjcqU+r4Zx/FT1H4KOEAKNI8MjfYOZvxgrdwVVw479yJasnvme2y4AEZccBwTZVHyP4WGzp/2lZ7hbUi9dM9w==",
    ),
    vector("pwdlib", PASSWORD, "$2b$04$EgZEUPiykuKzPPwDDJxF2OJoCDHAWEvxis39UwwfjJvmtxyOgJD1q"),
];
