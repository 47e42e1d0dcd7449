//! Why a configuration was not taken.

use std::{error::Error, fmt};

use gateway_core::{
    config::{Colour, Problems},
    server::CertificateError,
};
use serde_json::{Map, Value, json};

use crate::store::StoreError;

/// Why a configuration was not taken. What ran before goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// Mistakes in the entities.
    Problems(Problems),
    /// Certificates that cannot be used.
    Certificates(Vec<CertificateError>),
    /// The store did not keep it, or cannot be read.
    Store(StoreError),
    /// Another node has written what this one cannot serve: until that is mended it can write nothing itself.
    Behind(Box<Refusal>),
    /// Others changed the configuration all the while, each time it was about to be kept.
    Contended,
    /// There is no store: the file is the truth.
    ReadOnly,
}

impl From<Problems> for Refusal {
    fn from(problems: Problems) -> Self {
        Self::Problems(problems)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Refusal {
    /// All reasons drawn with the lines of `text` they stand on. `name` is what the text is called.
    #[must_use]
    pub fn render(&self, name: &str, text: &str, colour: Colour) -> String {
        match self {
            Self::Problems(problems) => problems.render(name, text, colour),
            _ => format!("{self}\n"),
        }
    }

    /// The body of Kong's 400, code 14 (compat A49).
    #[must_use]
    pub fn body(&self) -> Value {
        match self {
            Self::Problems(problems) => problems.body(),
            Self::Certificates(errors) => certificates_body(errors),
            _ => json!({ "message": self.to_string() }),
        }
    }

    /// The same with one entry an entity, as `?flatten_errors=1` asks for it.
    #[must_use]
    pub fn flattened_body(&self) -> Value {
        match self {
            Self::Problems(problems) => problems.flattened_body(),
            _ => self.body(),
        }
    }
}

fn certificates_body(errors: &[CertificateError]) -> Value {
    let fields: Map<_, _> =
        errors.iter().map(|error| (error.entity.clone(), error.problem.as_str().into())).collect();
    let list = errors.iter().map(|error| format!("[{:?}]={:?}", error.entity, error.problem));
    let message = format!("declarative config is invalid: {{{}}}", list.collect::<Vec<_>>().join(","));
    json!({ "code": 14, "name": "invalid declarative configuration", "message": message, "fields": fields })
}

/// One reason a line.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problems(problems) => problems.fmt(f),
            Self::Certificates(errors) => {
                let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::Store(error) => error.fmt(f),
            Self::Behind(refusal) => {
                write!(f, "another node has written what this one cannot serve: {refusal}")
            }
            Self::Contended => f.write_str("others change the configuration all the while, try again"),
            Self::ReadOnly => f.write_str("there is no store: the file is the truth"),
        }
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Problems(problems) => Some(problems),
            Self::Certificates(errors) => errors.first().map(|error| error as &(dyn Error + 'static)),
            Self::Store(error) => Some(error),
            Self::Behind(refusal) => Some(refusal.as_ref()),
            Self::Contended | Self::ReadOnly => None,
        }
    }
}
