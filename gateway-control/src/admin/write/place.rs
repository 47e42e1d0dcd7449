//! Which entity a path means.

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::admin::kind::{KINDS, Kind, Parent};

/// What a path means.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// `/services`, `/services/{service}/routes`.
    List { kind: &'static Kind, owner: Option<Owner> },
    /// `/services/{service}`, `/services/{service}/routes/{route}`.
    One { kind: &'static Kind, owner: Option<Owner>, key: String },
    /// `/routes/{route}/service`: the one that another refers to.
    Above { child: &'static Kind, key: String, parent: &'static Parent },
    /// `/consumer_groups/{group}/consumers/{consumer}` and `/consumers/{consumer}/consumer_groups/{group}`.
    Members { group: Option<String>, consumer: Option<String>, from: Side },
}

/// From which side a membership is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Side {
    Group,
    Consumer,
}

/// The entity whose list it is.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) parent: &'static Parent,
    pub(super) key: String,
}

impl Place {
    /// The place that a path means, if it is one of entities.
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let names = path.split('/').map(|name| percent_decode_str(name).decode_utf8().ok().map(Into::into));
        let names: Vec<String> = names.collect::<Option<_>>()?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if names.iter().any(|name| name.is_empty()) {
            return None;
        }
        members(&names).or_else(|| entities(&names))
    }
}

/// A path for logs and history, where a key of a consumer is no name but a secret.
pub(in crate::admin) fn discreet(path: &str) -> String {
    let mut before = "";
    let names = path.split('/').map(|name| {
        let is_key = matches!(before, "key-auths" | "key-auth") && Uuid::parse_str(name).is_err();
        before = name;
        if is_key && !name.is_empty() { "***" } else { name }
    });
    names.collect::<Vec<_>>().join("/")
}

fn members(names: &[&str]) -> Option<Place> {
    let (from, first, second) = match names {
        ["consumer_groups", group, "consumers", rest @ ..] => (Side::Group, group, rest),
        ["consumers", consumer, "consumer_groups", rest @ ..] => (Side::Consumer, consumer, rest),
        _ => return None,
    };
    let first = Some((*first).to_owned());
    let second = match second {
        [] => None,
        [one] => Some((*one).to_owned()),
        _ => return None,
    };
    Some(match from {
        Side::Group => Place::Members { group: first, consumer: second, from },
        Side::Consumer => Place::Members { group: second, consumer: first, from },
    })
}

fn entities(names: &[&str]) -> Option<Place> {
    let at = |path: &str| KINDS.iter().find(|kind| kind.path == Some(path));
    match *names {
        [path] => Some(Place::List { kind: at(path)?, owner: None }),
        [path, key] => Some(Place::One { kind: at(path)?, owner: None, key: key.to_owned() }),
        [path, key, below] => list_below(path, key, below).or_else(|| {
            let child = at(path)?;
            let parent = child.parents.iter().find(|parent| parent.field == below)?;
            Some(Place::Above { child, key: key.to_owned(), parent })
        }),
        [path, owner, below, key] => match list_below(path, owner, below)? {
            Place::List { kind, owner } => Some(Place::One { kind, owner, key: key.to_owned() }),
            _ => None,
        },
        _ => None,
    }
}

fn list_below(path: &str, key: &str, segment: &str) -> Option<Place> {
    let fits = |parent: &&'static Parent| {
        parent.segment == segment && Kind::of(parent.collection).is_some_and(|above| above.path == Some(path))
    };
    KINDS.iter().find_map(|kind| {
        let parent = kind.parents.iter().find(fits)?;
        Some(Place::List { kind, owner: Some(Owner { parent, key: key.to_owned() }) })
    })
}

#[cfg(test)]
mod tests {
    use super::{Place, discreet};

    #[test]
    fn a_key_in_a_path_is_not_told() {
        let id = "3b3a6e0d-8f7e-4f8a-9a55-3f6f0a8b0c01";
        for (path, told) in [
            ("/consumers/alice/key-auth/s3cret", "/consumers/alice/key-auth/***"),
            ("/key-auths/s3cret/consumer", "/key-auths/***/consumer"),
            ("/key-auths", "/key-auths"),
            ("/services/key-auths", "/services/key-auths"),
        ] {
            assert_eq!(discreet(path), told);
        }
        assert_eq!(discreet(&format!("/key-auths/{id}")), format!("/key-auths/{id}"));
    }

    #[test]
    fn paths_mean_places() {
        let means = |path: &str| match Place::of(path) {
            Some(Place::List { kind, owner }) => {
                format!(
                    "all {}{}",
                    kind.collection,
                    owner.map(|owner| " of ".to_owned() + &owner.key).unwrap_or_default()
                )
            }
            Some(Place::One { kind, owner, key }) => format!(
                "{} {key}{}",
                kind.collection,
                owner.map(|owner| " of ".to_owned() + &owner.key).unwrap_or_default()
            ),
            Some(Place::Above { child, key, parent }) => {
                format!("{} of {} {key}", parent.field, child.collection)
            }
            Some(Place::Members { group, consumer, .. }) => format!("{group:?} {consumer:?}"),
            None => "nothing".to_owned(),
        };
        for (path, meaning) in [
            ("/services", "all services"),
            ("/services/", "all services"),
            ("/services/a%20b", "services a b"),
            ("/services/a/routes", "all routes of a"),
            ("/services/a/routes/r", "routes r of a"),
            ("/routes/r/service", "service of routes r"),
            ("/consumers/c/key-auth/k", "keyauth_credentials k of c"),
            ("/key-auths/k/consumer", "consumer of keyauth_credentials k"),
            ("/upstreams/u/targets/10.0.0.1:80", "targets 10.0.0.1:80 of u"),
            ("/key-sets/s/keys", "all keys of s"),
            ("/consumer_groups/g/consumers", "Some(\"g\") None"),
            ("/consumers/c/consumer_groups/g", "Some(\"g\") Some(\"c\")"),
            ("/targets", "nothing"),
            ("/services//routes", "nothing"),
            ("/services/a/b/c/d", "nothing"),
            ("/%ff", "nothing"),
        ] {
            assert_eq!(means(path), meaning, "{path}");
        }
    }
}
