//! What requests are counted by.

use plugin_sdk::{prelude::*, ratelimit::Key};

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
    pub(crate) fn who(&self, request: &Request) -> Who {
        let own = match self {
            Self::Consumer => return Who::Known(Key::Consumer),
            Self::Credential => return Who::Known(Key::Credential),
            Self::Ip => None,
            Self::Service => request.property(&["service", "id"]).as_deref().and_then(Text::of),
            Self::Header(name) => request.header(name),
            Self::Path(path) => Some(request.path()).filter(|own| **own == **path),
        };
        own.map_or(Who::Known(Key::Address), Who::Text)
    }
}

/// Who is counted.
pub(crate) enum Who {
    /// Whom the gateway knows.
    Known(Key<'static>),
    Text(Text),
}

impl Who {
    pub(crate) fn key(&self) -> Key<'_> {
        match self {
            Self::Known(key) => *key,
            Self::Text(text) => Key::Text(text),
        }
    }
}
