//! The ways to rank routes.

use std::{fmt, str::FromStr};

use crate::config::{PathHandling, Route};

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
    /// Kong's older one, in the order of its manual. It alone honours `path_handling` `v1` (compat P38).
    Traditional,
    /// That of `HTTPRoute` in Kubernetes' Gateway API: paths by element, exact before prefix, the older first.
    GatewayApi,
    /// Routes with an expression, ranked by their priority, above routes with fields as in
    /// [`TraditionalCompatible`](Self::TraditionalCompatible).
    Expressions,
}

/// How routes are read: a flavour, and what no flavour says.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::{config::Route, router::{Dialect, Flavor, Head, Router}};
/// use http::{HeaderMap, Method};
///
/// let mut dialect = Dialect::from(Flavor::TraditionalCompatible);
/// dialect.path_templates = true;
/// let mut user = Route::new("user");
/// user.paths = Some(vec!["/users/{id}".into()]);
/// let router = Router::with_flavor(dialect, [(Arc::new(user), ())]).unwrap();
///
/// let headers = HeaderMap::new();
/// let head = Head::new(&Method::GET, "example.com", "/users/7", &headers);
/// let captures = router.find(&head).unwrap().captures(head.path).unwrap();
/// assert_eq!(captures.name("id"), Some("7"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dialect {
    /// How routes are ranked and what their fields mean. Default: `traditional_compatible`.
    pub flavor: Flavor,
    /// Whether a path with a brace is a [`Template`](super::Template), `/users/{id}`. Default off: it is a prefix, as
    /// in Kong.
    pub path_templates: bool,
}

impl From<Flavor> for Dialect {
    fn from(flavor: Flavor) -> Self {
        Self { flavor, path_templates: false }
    }
}

/// A name that no flavour has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFlavor;

impl Flavor {
    /// Every flavour.
    pub const ALL: &[Self] =
        &[Self::TraditionalCompatible, Self::Traditional, Self::Expressions, Self::GatewayApi];

    /// Its name in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TraditionalCompatible => "traditional_compatible",
            Self::Traditional => "traditional",
            Self::Expressions => "expressions",
            Self::GatewayApi => "gateway_api",
        }
    }

    /// How the path of a route's service and of a request are joined: as the route says in `traditional`, as `v0` in
    /// all others (compat P38).
    #[must_use]
    pub const fn path_handling(self, route: &Route) -> PathHandling {
        match self {
            Self::Traditional => route.path_handling,
            Self::TraditionalCompatible | Self::Expressions | Self::GatewayApi => PathHandling::V0,
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
