//! What requests are counted by.

use plugin_sdk::{
    call,
    contract::{Id, consumer::Current},
    prelude::*,
};

use crate::config::{Config, LimitBy};

/// What requests are counted by.
pub(crate) enum By {
    Consumer,
    Credential,
    Ip,
    Service,
    Header(String),
    Path(String),
}

impl By {
    pub(crate) fn of(config: &Config) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        match config.limit_by {
            LimitBy::Consumer => Self::Consumer,
            LimitBy::Credential => Self::Credential,
            LimitBy::Ip => Self::Ip,
            LimitBy::Service => Self::Service,
            LimitBy::Header => Self::Header(text(&config.header_name).to_ascii_lowercase()),
            LimitBy::Path => Self::Path(text(&config.path)),
        }
    }

    /// Who is counted: the client's address, where a request lacks what it is to be counted by.
    pub(crate) fn key(&self, request: &Request) -> Text {
        let own = match self {
            Self::Consumer => id(|who| Some(who.consumer)),
            Self::Credential => id(|who| who.credential),
            Self::Ip => None,
            Self::Service => request.property(&["service", "id"]).as_deref().and_then(Text::of),
            Self::Header(name) => request.header(name),
            Self::Path(path) => Some(request.path()).filter(|own| **own == **path),
        };
        own.unwrap_or_else(|| request.client_ip())
    }
}

/// An id of whoever calls, in hexadecimal digits.
fn id(choose: impl FnOnce(plugin_sdk::contract::consumer::Identity<'_>) -> Option<Id>) -> Option<Text> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let id = call::now(&Current, |who| who.and_then(choose)).ok()??;
    let mut text = [0; 32];
    for (digits, byte) in text.chunks_exact_mut(2).zip(id) {
        let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
        digits.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    Text::of(&text)
}
