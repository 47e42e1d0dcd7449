//! The ways to rank routes.

use std::{fmt, str::FromStr};

/// How routes are ranked and what their fields mean. Written and read by Kong's names.
///
/// ```
/// use gateway_core::router::Flavor;
///
/// assert_eq!("traditional_compatible".parse(), Ok(Flavor::TraditionalCompatible));
/// assert_eq!(Flavor::default().as_str(), "traditional_compatible");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flavor {
    /// Kong's default, in the order that it was seen to use (compat P43), which is not its manual's.
    #[default]
    TraditionalCompatible,
    /// Routes with an expression, ranked by their priority, above routes with fields as in
    /// [`TraditionalCompatible`](Self::TraditionalCompatible).
    Expressions,
}

/// A name that no flavour has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFlavor;

impl Flavor {
    /// Every flavour.
    pub const ALL: &[Self] = &[Self::TraditionalCompatible, Self::Expressions];

    /// Its name in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TraditionalCompatible => "traditional_compatible",
            Self::Expressions => "expressions",
        }
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Flavor {
    type Err = UnknownFlavor;

    fn from_str(name: &str) -> Result<Self, UnknownFlavor> {
        Self::ALL.iter().copied().find(|flavor| flavor.as_str() == name).ok_or(UnknownFlavor)
    }
}

impl fmt::Display for UnknownFlavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("allowed: ")?;
        Flavor::ALL
            .iter()
            .enumerate()
            .try_for_each(|(at, flavor)| write!(f, "{}{flavor}", if at == 0 { "" } else { ", " }))
    }
}

impl std::error::Error for UnknownFlavor {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flavor_is_read_by_its_name() {
        for flavor in Flavor::ALL {
            assert_eq!(flavor.to_string().parse(), Ok(*flavor));
        }
        let unknown = "alphabetical".parse::<Flavor>().unwrap_err();
        assert!(unknown.to_string().starts_with("allowed: traditional_compatible"));
    }
}
