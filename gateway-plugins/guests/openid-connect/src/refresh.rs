//! Access tokens that are over are made anew: once for all requests of a session that come meanwhile, in this process, or
//! on all nodes where they keep sessions together.

use std::{iter, time::Duration};

use plugin_sdk::{
    contract,
    kv::{self, Only, Outcome},
    prelude::*,
    serde_json::{self, Value},
};

use crate::{
    Openid,
    id_token::{self, Bad, Expected},
    kept::Kept,
    lock::Lock,
    random,
    refusal::Refused,
    session::{Begun, Session},
    token::{Client, Failed},
};

/// What becomes of a session whose access token is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refreshed {
    /// It goes on with these bytes.
    Renewed(Vec<u8>),
    /// It goes on as it is: the provider cannot be asked.
    Kept,
    /// It is over.
    Over,
}

/// Namespaces: who asks, what came of it, and which locks of all nodes this one has. All stand under the digest of the
/// refresh token.
const ASKING: &str = "refreshing";
const DONE: &str = "refreshed";
const HELD: &str = "refreshing-for-all";
/// The pauses of those who wait: twice as long each time, so that many of them keep nobody from what they wait for.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(160);
/// Seconds for which a browser may still come with the cookie from before.
const LATE: u32 = 60;
/// Seconds until a provider that cannot be asked is asked again.
const PAUSE: u32 = 5;

impl Openid {
    /// One request of this process asks, or goes to find out what another node's has come to; the others wait for it.
    pub(crate) async fn refresh(&self, client: &Client, session: &Session<'_>) -> Result<Refreshed, Error> {
        let key = random::digest(&format!("{} {}", self.keys.client(), session.refresh_token))?;
        let end = time::now() + self.timeout * 2;
        let mut pauses = pauses();
        loop {
            if let Some(done) = Refreshed::of(&key)? {
                return Ok(done);
            }
            let (_lock, asks) = Lock::take(ASKING, &key, self.patience())?;
            if asks {
                // Another worker may have come to an end between the two looks.
                if let Some(done) = Refreshed::of(&key)? {
                    return Ok(done);
                }
                let refreshed = match &self.sessions.kept {
                    Kept::Here => self.ask(client, session).await?,
                    there @ Kept::There(..) => self.ask_for_all(there, &key, client, session).await?,
                };
                kv::set(DONE, &key, &refreshed.written(), Some(refreshed.lasts()), Only::Always)?;
                return Ok(refreshed);
            }
            if time::now() >= end {
                return Ok(Refreshed::Kept);
            }
            time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await?;
        }
    }

    /// One node asks; the others read what came of it. A node that goes away meanwhile is waited for as long as its lock
    /// lasts.
    async fn ask_for_all(
        &self,
        kept: &Kept,
        key: &str,
        client: &Client,
        session: &Session<'_>,
    ) -> Result<Refreshed, Error> {
        // The lock of a node that has gone away is over before that.
        let end = time::now() + Duration::from_secs(self.patience().into()) + self.timeout;
        let mut pauses = pauses();
        loop {
            if let Some((done, _)) = kept.get(DONE, key).await? {
                return Ok(Refreshed::read(&done));
            }
            if let Some(token) = self.lock(kept, key).await? {
                // Another node may have come to an end between the two looks.
                let refreshed = match kept.get(DONE, key).await? {
                    Some((done, _)) => Refreshed::read(&done),
                    None => self.ask(client, session).await?,
                };
                self.tell_all(kept, key, &refreshed, token).await;
                return Ok(refreshed);
            }
            if time::now() >= end {
                return Ok(Refreshed::Kept);
            }
            time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await?;
        }
    }

    /// The token of the lock, if this node has it: then nobody else gives it back. A request whose client has left leaves
    /// it to the next one of this node.
    async fn lock(&self, kept: &Kept, key: &str) -> Result<Option<u64>, Error> {
        if let Some(token) = kv::get(HELD, key)?.and_then(|(token, _)| contract::decode(&token)) {
            return Ok(Some(token));
        }
        let Outcome::Done(token) = kept.set(ASKING, key, b"", self.patience(), Only::Absent).await? else {
            return Ok(None);
        };
        let bytes = contract::encode(&token, Vec::new()).map_err(|_| Error::Failed)?;
        kv::set(HELD, key, &bytes, Some(self.patience()), Only::Always)?;
        Ok(Some(token))
    }

    /// What cannot be told now this node still knows.
    async fn tell_all(&self, kept: &Kept, key: &str, refreshed: &Refreshed, token: u64) {
        let told = kept.set(DONE, key, &refreshed.written(), refreshed.lasts(), Only::Always).await;
        let given = kept.delete(ASKING, key, Only::Version(token)).await;
        if let Err(error) =
            told.map(drop).and(given.map(drop)).and(kv::delete(HELD, key, Only::Always).map(drop))
        {
            warn!("session_storage_unavailable: other nodes do not know of a refresh: {error}");
        }
    }

    /// Seconds for which one that asks is waited for.
    fn patience(&self) -> u32 {
        u32::try_from(self.timeout.as_secs()).unwrap_or(u32::MAX).saturating_add(2)
    }

    async fn ask(&self, client: &Client, session: &Session<'_>) -> Result<Refreshed, Error> {
        let Some(provider) = self.discovery.provider().await else { return Ok(Refreshed::Kept) };
        let grant = [("grant_type", "refresh_token"), ("refresh_token", session.refresh_token)];
        let tokens = match client.tokens(&provider, &grant).await {
            Ok(tokens) => tokens,
            Err(Failed::Unavailable | Failed::Unreachable) => return Ok(Refreshed::Kept),
            Err(Failed::Refused) => return Ok(Refreshed::Over),
        };
        // An ID token that comes along is of the same user (OpenID Connect Core 1.0, section 12.2).
        let (id_token, claims) = match tokens.id_token.as_deref() {
            None => (session.id_token, id_token::said(session.id_token)),
            Some(token) => {
                let expected = Expected {
                    client: &client.id,
                    nonce: None,
                    subject: Some(session.subject),
                    access_token: &tokens.access_token,
                    since: None,
                };
                match id_token::verify(&provider, token, expected).await {
                    Ok(claims) => (token, claims),
                    Err(Bad::Token(word)) => {
                        warn!("{word}: the ID token of a refresh is not good");
                        return Ok(Refreshed::Over);
                    }
                    // The refresh token may be used up: what came with it counts.
                    Err(Bad::Unavailable) => (session.id_token, id_token::said(session.id_token)),
                }
            }
        };
        let user: Option<Value> = serde_json::from_str(session.user_info).ok();
        let begun = Begun {
            name: session.name,
            begun: session.begun,
            used: time::now().as_secs(),
            subject: session.subject,
            id_token,
        };
        match self.session(&begun, &tokens, &claims, user.as_ref(), session.refresh_token) {
            Ok(bytes) => Ok(Refreshed::Renewed(bytes)),
            Err(Refused::Unexpected) => Err(Error::Failed),
            Err(_) => Ok(Refreshed::Over),
        }
    }
}

impl Refreshed {
    /// What came of it for whoever asked before.
    fn of(key: &str) -> Result<Option<Self>, Error> {
        Ok(kv::get(DONE, key)?.map(|(done, _)| Self::read(&done)))
    }

    fn written(&self) -> Vec<u8> {
        match self {
            Self::Renewed(bytes) => [&[1], &bytes[..]].concat(),
            Self::Kept => vec![2],
            Self::Over => vec![3],
        }
    }

    /// Seconds for which it counts.
    const fn lasts(&self) -> u32 {
        match self {
            Self::Kept => PAUSE,
            Self::Renewed(_) | Self::Over => LATE,
        }
    }

    fn read(bytes: &[u8]) -> Self {
        match bytes.split_first() {
            Some((1, bytes)) => Self::Renewed(bytes.to_vec()),
            Some((2, _)) => Self::Kept,
            _ => Self::Over,
        }
    }
}

fn pauses() -> impl Iterator<Item = Duration> {
    iter::successors(Some(FIRST_PAUSE), |pause| Some((*pause * 2).min(LONGEST_PAUSE)))
}
