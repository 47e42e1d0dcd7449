//! In which order routes are tried.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use gateway_core::router::{Flavor, UnknownFlavor};

/// In which order routes are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RouterFlavor(pub(crate) Flavor);

impl RouterFlavor {
    pub(super) fn parser() -> impl TypedValueParser<Value = Self> {
        PossibleValuesParser::new(Flavor::ALL.iter().map(|flavor| flavor.as_str())).try_map(Self::try_from)
    }
}

impl TryFrom<String> for RouterFlavor {
    type Error = UnknownFlavor;

    fn try_from(name: String) -> Result<Self, UnknownFlavor> {
        name.parse().map(Self)
    }
}
