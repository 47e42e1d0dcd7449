//! Why a module does not come.

use std::path::PathBuf;

use gateway_core::BoxError;
use http::StatusCode;

use super::Digest;

/// Why a module is not fetched. The message says what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// It is no place that a module can come from.
    #[error(
        "'{0}' is no source: https://HOST/PATH, oci://REGISTRY/REPOSITORY:TAG, \
         oci://REGISTRY/REPOSITORY@sha256:DIGEST, or file:PATH"
    )]
    Source(String),
    /// Somebody on the way could exchange what is sent.
    #[error("{0} is not asked in clear: https, unless the host is this machine")]
    InClear(String),
    /// Nothing says what it has to be.
    #[error("nothing says what its bytes are: sha256 = \"DIGEST\" of the module is missing")]
    Unpinned,
    /// It is no hash.
    #[error("'{0}' is no SHA-256: 64 hexadecimal digits")]
    NoDigest(String),
    /// It is something else than what was pinned.
    #[error("it is {found}, expected {expected}")]
    Digest {
        /// What was pinned.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// The answer is no module.
    #[error("{url} answered {status}, expected 200")]
    Status {
        /// What was asked.
        url: String,
        /// The answer.
        status: StatusCode,
    },
    /// It leads to where it must not, or in circles.
    #[error("{url} leads to '{to}': {why}")]
    Redirect {
        /// What was asked.
        url: String,
        /// Where it leads.
        to: String,
        /// Why nobody goes there.
        why: &'static str,
    },
    /// There is more of it than there may be.
    #[error("{url} has more than {limit} bytes")]
    TooLarge {
        /// What was asked.
        url: String,
        /// What is taken at most.
        limit: usize,
    },
    /// It did not come in time.
    #[error("it was not there within {0:?}")]
    Late(std::time::Duration),
    /// Whoever waited has left.
    #[error("it is not waited for any longer")]
    Stopped,
    /// The connection failed.
    #[error("{url} cannot be asked")]
    Connection {
        /// What was asked.
        url: String,
        /// Why.
        source: BoxError,
    },
    /// The registry says something that it should not.
    #[error("the registry {registry}: {problem}")]
    Registry {
        /// Its host.
        registry: String,
        /// What is wrong.
        problem: String,
    },
    /// The file cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What somebody else says, in one line that is not too long.
pub(super) fn shown(text: &str) -> String {
    let plain = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    let mut shown: String = text.chars().take(MOST_SHOWN).map(plain).collect();
    if shown.len() < text.len() && text.chars().count() > MOST_SHOWN {
        shown.push_str(" ...");
    }
    shown
}

const MOST_SHOWN: usize = 300;

impl FetchError {
    /// Whether it may be there when it is asked for again, though nobody has changed what is asked for.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Status { .. }
                | Self::Late(_)
                | Self::Connection { .. }
                | Self::Redirect { .. }
                | Self::Registry { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_SHOWN, shown};

    #[test]
    fn what_others_say_is_one_short_line() {
        assert_eq!(shown("as it is"), "as it is");
        assert_eq!(shown("a\nERROR forged\u{1b}[0m"), "a\u{fffd}ERROR forged\u{fffd}[0m");
        assert_eq!(shown(&"\u{e4}".repeat(MOST_SHOWN)).chars().count(), MOST_SHOWN);
        assert_eq!(shown(&"a".repeat(1 << 20)).len(), MOST_SHOWN + 4);
    }
}
