//! Tags that say what Kong has no field for: `group:2` and `zone:b` of targets, `slow-start:30` of upstreams, `subset:v2`
//! of services.

use super::{Service, Target, Upstream};

/// Tags of an upstream that say something, with what their values are.
pub(crate) const OF_UPSTREAMS: [(&str, Says); 15] = [
    ("slow-start", |value| seconds(value).is_some()),
    ("slow-start-aggression", |value| between(value, 0.1, 100.0).is_some()),
    ("slow-start-min", |value| between(value, 0.0, 100.0).is_some()),
    ("ejection-time", |value| seconds(value).is_some()),
    ("max-ejection", |value| share(value).is_some()),
    ("eject-deviating", |value| between(value, 0.1, 100.0).is_some()),
    ("eject-failing", |value| share(value).is_some_and(|percent| percent > 0)),
    ("eject-interval", |value| seconds(value).is_some()),
    ("eject-hosts", |value| number(value).is_some()),
    ("eject-requests", |value| number(value).is_some()),
    ("panic-threshold", |value| share(value).is_some()),
    ("sticky", is_cookie_name),
    ("pick", |value| value == "random"),
    ("hash", |value| value == "maglev"),
    ("hash-bound", |value| percents(value).is_some()),
];

/// Tags of a target that say something.
pub(crate) const OF_TARGETS: [(&str, Says); 3] = [
    ("group", |value| group(value).is_some()),
    ("zone", |value| !value.is_empty()),
    ("subset", |value| !value.is_empty()),
];

/// Tags of a service that say something.
pub(crate) const OF_SERVICES: [(&str, Says); 1] = [("subset", |value| !value.is_empty())];

/// Whether a value says something.
pub(crate) type Says = fn(&str) -> bool;

/// What a target's tags say.
impl Target {
    /// Its group, `group:2`: those of the first one take all requests as long as enough of them are well. Default 1.
    #[must_use]
    pub fn group(&self) -> u16 {
        tag(self.tags.as_deref(), "group").and_then(group).unwrap_or(1)
    }

    /// Its zone, `zone:b`: a node of the same zone prefers it.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        tag(self.tags.as_deref(), "zone").filter(|zone| !zone.is_empty())
    }

    /// The subsets that it is in, `subset:v2`: any number.
    pub fn subsets(&self) -> impl Iterator<Item = &str> {
        values(self.tags.as_deref(), "subset").filter(|name| !name.is_empty())
    }
}

/// What a service's tags say.
impl Service {
    /// The part of its upstream's targets that takes its requests, `subset:v2`. Default: all of them.
    #[must_use]
    pub fn subset(&self) -> Option<&str> {
        tag(self.tags.as_deref(), "subset").filter(|name| !name.is_empty())
    }
}

/// What an upstream's tags say.
impl Upstream {
    /// For how many seconds a target that is new or well again comes to its full share, `slow-start:30`.
    #[must_use]
    pub fn slow_start(&self) -> Option<f64> {
        tag(self.tags.as_deref(), "slow-start").and_then(seconds)
    }

    /// How fast at first, `slow-start-aggression:2`. Default 1: in proportion to time.
    #[must_use]
    pub fn slow_start_aggression(&self) -> Option<f64> {
        tag(self.tags.as_deref(), "slow-start-aggression").and_then(|value| between(value, 0.1, 100.0))
    }

    /// What it takes at least, in percent of its share, `slow-start-min:10`.
    #[must_use]
    pub fn slow_start_min(&self) -> Option<f64> {
        tag(self.tags.as_deref(), "slow-start-min").and_then(|value| between(value, 0.0, 100.0))
    }

    /// For how many seconds a target that traffic made unhealthy is out at first, `ejection-time:10`.
    #[must_use]
    pub fn ejection_time(&self) -> Option<f64> {
        tag(self.tags.as_deref(), "ejection-time").and_then(seconds)
    }

    /// How many of its targets traffic may make unhealthy, in percent, `max-ejection:50`; one may always be.
    #[must_use]
    pub fn max_ejection(&self) -> Option<u8> {
        tag(self.tags.as_deref(), "max-ejection").and_then(share)
    }

    /// By how many standard deviations of all a target's share of successes may be below their mean, `eject-deviating:1.9`.
    #[must_use]
    pub fn eject_deviating(&self) -> Option<f64> {
        tag(self.tags.as_deref(), "eject-deviating").and_then(|value| between(value, 0.1, 100.0))
    }

    /// Of which percentage of failures on a target is out, `eject-failing:85`.
    #[must_use]
    pub fn eject_failing(&self) -> Option<u8> {
        tag(self.tags.as_deref(), "eject-failing").and_then(share).filter(|percent| *percent > 0)
    }

    /// After how many seconds each targets are compared for that, `eject-interval:10`.
    #[must_use]
    pub fn eject_interval(&self) -> Option<f64> {
        tag(self.tags.as_deref(), "eject-interval").and_then(seconds)
    }

    /// How many targets with enough requests that takes, `eject-hosts:5`.
    #[must_use]
    pub fn eject_hosts(&self) -> Option<u32> {
        tag(self.tags.as_deref(), "eject-hosts").and_then(number)
    }

    /// How many requests in the interval are enough, `eject-requests:100`.
    #[must_use]
    pub fn eject_requests(&self) -> Option<u32> {
        tag(self.tags.as_deref(), "eject-requests").and_then(number)
    }

    /// Below which share of its weight, in percent, health is not looked at, `panic-threshold:50`; 0: never.
    #[must_use]
    pub fn panic_threshold(&self) -> Option<u8> {
        tag(self.tags.as_deref(), "panic-threshold").and_then(share)
    }

    /// The cookie by which sessions stay with their target, `sticky:session`.
    #[must_use]
    pub fn sticky(&self) -> Option<&str> {
        tag(self.tags.as_deref(), "sticky").filter(|name| is_cookie_name(name))
    }

    /// Whether its targets are picked by lot where `round-robin` picks them in turn, `pick:random`.
    #[must_use]
    pub fn is_random(&self) -> bool {
        tag(self.tags.as_deref(), "pick") == Some("random")
    }

    /// Whether its hashes are laid out as Maglev does, `hash:maglev`, and not on Kong's ring.
    #[must_use]
    pub fn is_maglev(&self) -> bool {
        tag(self.tags.as_deref(), "hash") == Some("maglev")
    }

    /// How much more than its share a target may have under way before requests go on to the next one, in percent of
    /// its share: `hash-bound:125`, from 101 to 1000.
    #[must_use]
    pub fn hash_bound(&self) -> Option<u16> {
        tag(self.tags.as_deref(), "hash-bound").and_then(percents)
    }
}

/// The value of the first tag with this name.
fn tag<'t>(tags: Option<&'t [String]>, name: &'static str) -> Option<&'t str> {
    values(tags, name).next()
}

/// The values of all tags with this name.
fn values<'t>(tags: Option<&'t [String]>, name: &'static str) -> impl Iterator<Item = &'t str> {
    tags.into_iter().flatten().filter_map(move |tag| tag.strip_prefix(name)?.strip_prefix(':'))
}

/// A token (RFC 6265 section 4.1.1).
fn is_cookie_name(value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !value.is_empty() && value.bytes().all(is_token)
}

fn group(value: &str) -> Option<u16> {
    value.parse().ok()
}

/// Up to an hour; the unit may be written.
fn seconds(value: &str) -> Option<f64> {
    between(value.strip_suffix('s').unwrap_or(value), 0.001, 3_600.0)
}

fn percents(value: &str) -> Option<u16> {
    value.parse().ok().filter(|percent| (101..=1_000).contains(percent))
}

/// At least 1.
fn number(value: &str) -> Option<u32> {
    value.parse().ok().filter(|number| *number > 0)
}

fn share(value: &str) -> Option<u8> {
    value.parse().ok().filter(|percent| *percent <= 100)
}

fn between(value: &str, least: f64, most: f64) -> Option<f64> {
    value.parse().ok().filter(|number| (least..=most).contains(number))
}

#[cfg(test)]
mod tests {
    use super::{Service, Target, Upstream};

    fn tags(all: &[&str]) -> Option<Vec<String>> {
        Some(all.iter().map(|tag| (*tag).to_owned()).collect())
    }

    #[test]
    fn tags_say_something_or_nothing() {
        let mut upstream = Upstream::new("u");
        let mut target = Target::new(&upstream, "10.0.0.1:80");
        assert_eq!((target.group(), target.zone(), upstream.slow_start()), (1, None, None));
        target.tags = tags(&["blue", "group:2", "zone:b", "group:3"]);
        assert_eq!((target.group(), target.zone()), (2, Some("b")));
        target.tags = tags(&["group:blue", "zone:"]);
        assert_eq!((target.group(), target.zone()), (1, None));
        target.tags = tags(&["subset:v2", "subset:", "subset:fast"]);
        assert_eq!(target.subsets().collect::<Vec<_>>(), ["v2", "fast"]);
        let mut service = Service::new("s", "u");
        assert_eq!(service.subset(), None);
        service.tags = tags(&["subset:v2", "subset:fast"]);
        assert_eq!(service.subset(), Some("v2"));
        upstream.tags = tags(&[
            "slow-start:30s",
            "slow-start-aggression:2",
            "slow-start-min:5",
            "hash:maglev",
            "hash-bound:125",
        ]);
        let said = (upstream.slow_start(), upstream.slow_start_aggression(), upstream.slow_start_min());
        assert_eq!(said, (Some(30.0), Some(2.0), Some(5.0)));
        assert_eq!((upstream.is_maglev(), upstream.hash_bound()), (true, Some(125)));
        upstream.tags = tags(&["ejection-time:2", "max-ejection:50", "panic-threshold:0"]);
        let said = (upstream.ejection_time(), upstream.max_ejection(), upstream.panic_threshold());
        assert_eq!(said, (Some(2.0), Some(50), Some(0)));
        upstream.tags = tags(&["ejection-time:0", "max-ejection:101", "panic-threshold:x"]);
        let said = (upstream.ejection_time(), upstream.max_ejection(), upstream.panic_threshold());
        assert_eq!(said, (None, None, None));
        upstream.tags =
            tags(&["eject-deviating:1.9", "eject-failing:85", "eject-interval:5s", "eject-hosts:3"]);
        let said = (upstream.eject_deviating(), upstream.eject_failing(), upstream.eject_interval());
        assert_eq!(said, (Some(1.9), Some(85), Some(5.0)));
        assert_eq!((upstream.eject_hosts(), upstream.eject_requests()), (Some(3), None));
        upstream.tags = tags(&["eject-deviating:0", "eject-failing:0", "eject-hosts:0", "eject-requests:x"]);
        let said = (upstream.eject_deviating(), upstream.eject_failing(), upstream.eject_hosts());
        assert_eq!((said, upstream.eject_requests()), ((None, None, None), None));
        upstream.tags = tags(&["sticky:my-session"]);
        assert_eq!(upstream.sticky(), Some("my-session"));
        for nothing in ["sticky:", "sticky:a b", "sticky:a=b", "sticky:a;b"] {
            upstream.tags = tags(&[nothing]);
            assert_eq!(upstream.sticky(), None, "{nothing}");
        }
        upstream.tags = tags(&["slow-start:-1", "slow-start-aggression:nan", "hash-bound:100", "hash:ring"]);
        let said = (upstream.slow_start(), upstream.slow_start_aggression(), upstream.hash_bound());
        assert_eq!(said, (None, None, None));
        assert!(!upstream.is_maglev() && !upstream.is_random());
        upstream.tags = tags(&["pick:random"]);
        assert!(upstream.is_random());
    }
}
