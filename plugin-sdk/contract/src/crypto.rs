//! Cryptography, with keys that stay with the gateway.

use serde::{Deserialize, Serialize};

use crate::{Call, Id};

/// A key: bytes that the plugin has, or something that only the gateway sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Key<'a> {
    /// These bytes.
    Bytes(#[serde(borrow)] &'a [u8]),
    /// A field of a credential: the `secret` of an HMAC credential.
    Credential {
        /// Which credential.
        id: Id,
        /// Which field.
        field: &'a str,
    },
    /// A secret that the operator lets the plugin use, by its reference.
    Secret(&'a str),
}

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Hash {
    /// SHA-1, for what is old.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// MD5, for what is older. No key goes with it.
    Md5,
}

/// The hash of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest<'a> {
    /// By which function.
    pub hash: Hash,
    /// The bytes.
    pub data: &'a [u8],
}

impl Call for Digest<'_> {
    const NAME: &'static str = "gateway.crypto.digest";
    type Answer<'a> = &'a [u8];
}

/// An authentication code (HMAC, RFC 2104); nothing where there is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mac<'a> {
    /// By which function; not MD5.
    pub hash: Hash,
    /// The key.
    #[serde(borrow)]
    pub key: Key<'a>,
    /// What it is of.
    pub data: &'a [u8],
}

impl Call for Mac<'_> {
    const NAME: &'static str = "gateway.crypto.mac";
    type Answer<'a> = Option<&'a [u8]>;
}

/// Whether an authentication code is the right one, compared in constant time. Where there is no such key it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyMac<'a> {
    /// By which function; not MD5.
    pub hash: Hash,
    /// The key.
    #[serde(borrow)]
    pub key: Key<'a>,
    /// What it is of.
    pub data: &'a [u8],
    /// The code.
    pub mac: &'a [u8],
}

impl Call for VerifyMac<'_> {
    const NAME: &'static str = "gateway.crypto.verify_mac";
    type Answer<'a> = bool;
}

/// Whether two texts are the same, in a time that only depends on their lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Equal<'a> {
    /// One of them.
    pub a: &'a [u8],
    /// The other one.
    pub b: &'a [u8],
}

impl Call for Equal<'_> {
    const NAME: &'static str = "gateway.crypto.constant_time_eq";
    type Answer<'a> = bool;
}

/// Random bytes that nobody can foresee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Random {
    /// How many: 1 to 1024.
    pub length: u32,
}

impl Call for Random {
    const NAME: &'static str = "gateway.crypto.random";
    type Answer<'a> = &'a [u8];
}

/// A way to sign, by its name in RFC 7518 and RFC 8037. ECDSA signatures are the two numbers one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5 with SHA-256, as the next two with a key of 2048 bits at least.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, as the next two with a key of 2048 bits at least.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519.
    EdDsa,
}

/// Signs. The answer comes later: nothing where there is no such key, or it is none for the scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign<'a> {
    /// How.
    pub scheme: Scheme,
    /// The private key: PKCS #8, as DER or as PEM.
    #[serde(borrow)]
    pub key: Key<'a>,
    /// What is signed.
    pub data: &'a [u8],
}

impl Call for Sign<'_> {
    const NAME: &'static str = "gateway.crypto.sign";
    type Answer<'a> = Option<&'a [u8]>;
}

/// Whether a signature is good. Where there is no such key, or it is none for the scheme, it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify<'a> {
    /// How it was made.
    pub scheme: Scheme,
    /// The public key: `SubjectPublicKeyInfo` or, of RSA, `RSAPublicKey`, as DER or as PEM.
    #[serde(borrow)]
    pub key: Key<'a>,
    /// What was signed.
    pub data: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

impl Call for Verify<'_> {
    const NAME: &'static str = "gateway.crypto.verify";
    type Answer<'a> = bool;
}

/// A cipher that notices changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cipher {
    /// AES-256-GCM (RFC 5116).
    Aes256Gcm,
    /// ChaCha20-Poly1305 (RFC 8439).
    ChaCha20Poly1305,
}

/// Encrypts under a key that is derived (HKDF with SHA-256, RFC 5869) from another one and a text that says what for.
/// The answer is a nonce of 12 bytes, the ciphertext, and a tag of 16 bytes; nothing where there is no such key, or it
/// is shorter than 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal<'a> {
    /// By which cipher.
    pub cipher: Cipher,
    /// What its key is derived from.
    #[serde(borrow)]
    pub key: Key<'a>,
    /// What for: with another text nothing opens it.
    pub purpose: &'a str,
    /// What is encrypted.
    pub plain: &'a [u8],
    /// What is not encrypted, but must be the same when it is opened.
    pub beside: &'a [u8],
}

impl Call for Seal<'_> {
    const NAME: &'static str = "gateway.crypto.seal";
    type Answer<'a> = Option<&'a [u8]>;
}

/// Decrypts what [`Seal`] made; nothing where it was changed, or made with anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open<'a> {
    /// By which cipher.
    pub cipher: Cipher,
    /// What its key is derived from.
    #[serde(borrow)]
    pub key: Key<'a>,
    /// What for.
    pub purpose: &'a str,
    /// What was made.
    pub sealed: &'a [u8],
    /// What was not encrypted.
    pub beside: &'a [u8],
}

impl Call for Open<'_> {
    const NAME: &'static str = "gateway.crypto.open";
    type Answer<'a> = Option<&'a [u8]>;
}

/// Whether this is the password of whoever has this user name, by a basic-auth credential. It may be kept as Kong keeps it
/// (SHA-1 of the password and the consumer's id, as 40 hexadecimal digits in lower case), by bcrypt or Argon2 (their
/// answers come later), or as it is. A name that nobody has takes as long as one that somebody has, where all passwords are kept alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyPassword<'a> {
    /// The user name.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
}

impl Call for VerifyPassword<'_> {
    const NAME: &'static str = "gateway.crypto.password_verify";
    type Answer<'a> = Password;
}

/// What came of a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password {
    /// The credential with the user name; zeros where nobody has it.
    pub credential: Id,
    /// Somebody has the user name.
    pub known: bool,
    /// It is their password.
    pub good: bool,
}
