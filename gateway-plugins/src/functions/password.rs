//! Passwords of basic-auth credentials, however they are kept.

use std::{
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    thread::available_parallelism,
};

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use bytes::Bytes;
use plugin_contract::{crypto::VerifyPassword, encode};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{now, read};
use crate::{Call, Returned, Status};

pub(super) fn verify(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let VerifyPassword { credential, password } = read(arguments)?;
    let exchange = call.exchange.ok_or(Status::BadArgument)?;
    let identity = call.sources.consumers.by_credential(exchange, Uuid::from_bytes(credential));
    let kept = identity.and_then(|it| Some((it.credential()?.fields.get("password")?.as_str()?, it)));
    let Some((kept, identity)) = kept else { return nobodys(call, password) };
    match Form::of(kept) {
        Form::Plain => {
            let same = verify_slices_are_equal(kept.as_bytes(), password.as_bytes()).is_ok();
            now::<VerifyPassword<'_>>(call, same)
        }
        Form::Kong => {
            let same =
                verify_slices_are_equal(kept.as_bytes(), &kong(password, identity.consumer().id)).is_ok();
            now::<VerifyPassword<'_>>(call, same)
        }
        form => {
            let kept: Arc<str> = kept.into();
            *last() = Some((form, Arc::clone(&kept)));
            Ok(slowly(form, kept, password, true))
        }
    }
}

/// A password of nobody's is as slow to verify as the last one that was: the time tells no user names.
fn nobodys(call: &mut Call<'_>, password: &str) -> Result<Returned, Status> {
    let slow = last().clone();
    slow.map_or_else(
        || now::<VerifyPassword<'_>>(call, false),
        |(form, kept)| Ok(slowly(form, kept, password, false)),
    )
}

/// The last password that was slow to verify, as it is kept.
fn last() -> MutexGuard<'static, Option<(Form, Arc<str>)>> {
    static LAST: Mutex<Option<(Form, Arc<str>)>> = Mutex::new(None);
    LAST.lock().unwrap_or_else(PoisonError::into_inner)
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

/// The digits that Kong keeps of a password.
fn kong(password: &str, consumer: Uuid) -> [u8; 40] {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(password.as_bytes());
    context.update(consumer.to_string().as_bytes());
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

fn slowly(form: Form, kept: Arc<str>, password: &str, is_known: bool) -> Returned {
    let password = password.to_owned();
    Returned::Later(Box::pin(async move {
        let turn = Arc::clone(&SLOW).acquire_owned().await;
        let same = tokio::task::spawn_blocking(move || {
            let same = is_same(form, &kept, &password);
            drop(turn);
            same && is_known
        });
        let same: <VerifyPassword<'_> as plugin_contract::Call>::Answer<'_> = same.await.unwrap_or_default();
        Bytes::from(encode(&same, Vec::new()).unwrap_or_default())
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
    use plugin_contract::crypto::VerifyPassword;
    use uuid::Uuid;

    use super::{Form, is_same, kong, verify};
    use crate::functions::testing::{Came, Plugin};

    #[tokio::test]
    async fn a_user_who_is_not_known_takes_the_time_of_one_who_is() {
        let mut plugin = Plugin::default();
        let known = Uuid::from_u128(7);
        plugin.serve(&format!(
            "_format_version: '3.0'\nconsumers:\n- username: al\n  basicauth_credentials:\n  - id: {known}\n    \
             username: al\n    password: \"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4\"\n"
        ));
        for (credential, password, expected) in
            [(known, "password", 1), (known, "other", 0), (Uuid::nil(), "password", 0)]
        {
            let ask = VerifyPassword { credential: credential.into_bytes(), password };
            let bytes = plugin_contract::encode(&ask, Vec::new()).unwrap();
            let came = plugin.call(verify, &bytes).await.unwrap();
            assert!(matches!(&came, Came::Later(same) if *same == [expected]), "{credential}: {came:?}");
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
