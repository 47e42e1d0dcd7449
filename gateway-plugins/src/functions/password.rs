//! Passwords of basic-auth credentials, however they are kept.

use std::{
    sync::{Arc, LazyLock},
    thread::available_parallelism,
};

use arc_swap::{ArcSwapOption, Guard};
use argon2::{Argon2, PasswordHash, PasswordVerifier};
use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use bytes::Bytes;
use gateway_core::{
    config::{Credential, CredentialKind},
    plugin::Exchange,
};
use plugin_contract::{
    crypto::{Password, VerifyPassword},
    encode,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{now, read};
use crate::{Call, Consumers, Returned, Status};

pub(super) fn verify(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let VerifyPassword { username, password } = read(arguments)?;
    let exchange = call.exchange.ok_or(Status::BadArgument)?;
    let last = LAST.load();
    let found = find(username, last.as_deref(), &*call.sources.consumers, exchange);
    let kept = Kept::of(found.or(last.as_ref()));
    let verified = Password {
        credential: found.map_or(Uuid::nil(), |credential| credential.id).into_bytes(),
        known: found.is_some(),
        good: false,
    };
    if let Some(found) = found {
        remember(found, kept, &last);
    }
    match kept.form {
        Form::Bcrypt | Form::Argon2 => Ok(slowly(kept, password, verified)),
        Form::Plain | Form::Kong => {
            let same = quickly(kept, password);
            now::<VerifyPassword<'_>>(call, Password { good: same && verified.known, ..verified })
        }
    }
}

/// Looks for one who is there and for one who is not, whoever is asked for.
fn find<'a>(
    username: &str,
    last: Option<&Credential>,
    consumers: &'a dyn Consumers,
    exchange: &'a Exchange,
) -> Option<&'a Arc<Credential>> {
    let by = |name| consumers.by_key(exchange, CredentialKind::BasicauthCredentials, name)?.credential();
    let found = by(username);
    let known = last.and_then(|last| last.fields.get("username")?.as_str());
    by(known.filter(|_| found.is_none()).unwrap_or(NOBODY));
    found
}

/// A user name that nobody signs in with: it ends at the first colon (RFC 7617 section 2).
const NOBODY: &str = ":nobody";

/// Whose password was verified last. What a stranger says is compared with that: the time tells no user names.
static LAST: ArcSwapOption<Credential> = ArcSwapOption::const_empty();

/// The next stranger takes as long as this one. Passwords that are kept alike take the same time; of those that are not the
/// slow ones count, which are the better kept.
fn remember(found: &Arc<Credential>, kept: Kept<'_>, last: &Guard<Option<Arc<Credential>>>) {
    let before = Kept::of(last.as_ref());
    if last.is_none() || (!kept.form.is_quick() && before.text != kept.text) {
        LAST.store(Some(Arc::clone(found)));
    }
}

/// A password as it is kept.
#[derive(Clone, Copy)]
struct Kept<'a> {
    form: Form,
    text: &'a str,
    consumer: Uuid,
}

impl<'a> Kept<'a> {
    /// Before anybody is known, nobody's.
    fn of(credential: Option<&'a Arc<Credential>>) -> Self {
        let text = credential.and_then(|it| it.fields.get("password")?.as_str()).unwrap_or_default();
        let consumer = credential.map_or(Uuid::nil(), |credential| credential.consumer.id);
        Self { form: Form::of(text), text, consumer }
    }
}

/// How a password is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    /// SHA-1 of it and the consumer's id: what Kong makes of each.
    Kong,
    Bcrypt,
    Argon2,
}

impl Form {
    const fn is_quick(self) -> bool {
        matches!(self, Self::Plain | Self::Kong)
    }

    fn of(kept: &str) -> Self {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match kept {
            _ if kept.starts_with("$argon2") => Self::Argon2,
            _ if ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|start| kept.starts_with(start)) => Self::Bcrypt,
            // Were it taken for the password itself, whoever reads the hash could log in with it.
            _ if kept.len() == 40 && kept.bytes().all(is_digit) => Self::Kong,
            _ => Self::Plain,
        }
    }
}

/// By hashes of one length, so that the time does not tell the length of the password.
fn quickly(kept: Kept<'_>, password: &str) -> bool {
    let given = kong(password, kept.consumer);
    let same = match kept.form {
        Form::Kong => verify_slices_are_equal(kept.text.as_bytes(), &given),
        _ => verify_slices_are_equal(&kong(kept.text, kept.consumer), &given),
    };
    same.is_ok() && !kept.text.is_empty()
}

/// The digits that Kong keeps of a password.
fn kong(password: &str, consumer: Uuid) -> [u8; 40] {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(password.as_bytes());
    context.update(consumer.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    let hash = context.finish();
    let mut digits = [0; 40];
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in digits.chunks_exact_mut(2).zip(hash.as_ref()) {
        let halves = [byte >> 4, byte & 15];
        pair.iter_mut().zip(halves).for_each(|(digit, half)| *digit = DIGITS[usize::from(half)]);
    }
    digits
}

/// Hashes that are meant to be slow, and take memory: as many at a time as there are processors.
static SLOW: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(available_parallelism().map_or(1, Into::into))));

fn slowly(kept: Kept<'_>, password: &str, verified: Password) -> Returned {
    let (form, kept, password) = (kept.form, kept.text.to_owned(), password.to_owned());
    Returned::Later(Box::pin(async move {
        let turn = Arc::clone(&SLOW).acquire_owned().await;
        let same = tokio::task::spawn_blocking(move || {
            let same = is_same(form, &kept, &password);
            drop(turn);
            same
        });
        let good = same.await.unwrap_or_default() && verified.known;
        Bytes::from(encode(&Password { good, ..verified }, Vec::new()).unwrap_or_default())
    }))
}

fn is_same(form: Form, kept: &str, password: &str) -> bool {
    match form {
        Form::Bcrypt => bcrypt::verify(password, kept).unwrap_or_default(),
        _ => PasswordHash::new(kept)
            .is_ok_and(|kept| Argon2::default().verify_password(password.as_bytes(), &kept).is_ok()),
    }
}

#[cfg(test)]
mod tests {
    use plugin_contract::crypto::{Password, VerifyPassword};
    use uuid::Uuid;

    use super::{Form, Kept, is_same, kong, quickly, verify};
    use crate::functions::testing::{Came, Plugin};

    #[tokio::test]
    async fn a_user_who_is_not_known_takes_the_time_of_one_who_is() {
        let mut plugin = Plugin::default();
        let (al, nobody) = ([7; 16], [0; 16]);
        plugin.serve(&format!(
            "_format_version: '3.0'\nconsumers:\n- username: al\n  basicauth_credentials:\n  - id: {}\n    \
             username: al\n    password: \"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4\"\n",
            Uuid::from_bytes(al)
        ));
        for (username, password, credential, known, good) in [
            ("al", "password", al, true, true),
            ("al", "other", al, true, false),
            ("eve", "password", nobody, false, false),
        ] {
            let ask = plugin_contract::encode(&VerifyPassword { username, password }, Vec::new()).unwrap();
            let Came::Later(answer) = plugin.call(verify, &ask).await.unwrap() else {
                panic!("{username} is answered at once")
            };
            assert_eq!(plugin_contract::decode(&answer), Some(Password { credential, known, good }));
        }
    }

    #[test]
    fn kongs_hash_is_of_the_password_and_the_consumer() {
        // printf 'hunter2%s' 11111111-1111-1111-1111-111111111111 | sha1sum
        let hash = kong("hunter2", Uuid::from_bytes([0x11; 16]));
        assert_eq!(std::str::from_utf8(&hash).unwrap(), "194d6c2efd020c5a814db703562e996c00962b98");
        assert_eq!(Form::of(std::str::from_utf8(&hash).unwrap()), Form::Kong);
    }

    #[test]
    fn no_password_is_no_password() {
        let kept = |form, text| Kept { form, text, consumer: Uuid::nil() };
        assert!(quickly(kept(Form::Plain, "a"), "a") && !quickly(kept(Form::Plain, "a"), "ab"));
        assert!(!quickly(Kept::of(None), "") && !quickly(kept(Form::Kong, ""), ""));
    }

    #[test]
    fn slow_hashes_are_known_by_how_they_begin() {
        // Vectors of the reference implementations: crypt_blowfish, and the Argon2 command with salt `somesalt`.
        let bcrypt = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        let argon2 = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        for (kept, form, password) in [(bcrypt, Form::Bcrypt, "U*U"), (argon2, Form::Argon2, "password")] {
            assert_eq!(Form::of(kept), form);
            assert!(is_same(form, kept, password) && !is_same(form, kept, "other"));
        }
        assert!(!is_same(Form::Argon2, "$argon2id$broken", "x") && !is_same(Form::Bcrypt, "$2b$broken", "x"));
        assert_eq!((Form::of("secret"), Form::of("")), (Form::Plain, Form::Plain));
    }
}
