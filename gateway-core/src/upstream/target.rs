//! What an upstream is made of, as its configuration says it.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use http::HeaderValue;

use super::{Hashing, Sticky, hosts::Hosts};
use crate::{
    balance::SlowStart,
    config::{self, Algorithm, Certificate, Healthchecks},
    health::{Outliers, Recovery},
};

/// A group of targets under one name.
///
/// ```
/// use gateway_core::upstream::{Group, Member};
///
/// let group = Group::new("users", [Member::new("10.0.0.1", 80).weighing(300), Member::new("10.0.0.2", 80)]);
/// assert_eq!(group.targets[0].weight, 300);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// The upstream's name, or the host of a service without one.
    pub name: Arc<str>,
    /// Its members.
    pub targets: Vec<Member>,
    /// `Host` in place of the members' own.
    pub host_header: Option<String>,
    /// Whether addresses are called by the names that SRV records lead to, where there is no `host_header`. Default: by the
    /// members' own.
    pub use_srv_name: bool,
    /// How a member is picked. Default: in turn.
    pub algorithm: Algorithm,
    /// What requests are told apart by, for consistent hashing.
    pub hashing: Option<Hashing>,
    /// How sessions stay with their members, whatever the algorithm but consistent hashing. Default: they do not.
    pub sticky: Option<Sticky>,
    /// Slots of the hash ring, at least 1000. Default 10000.
    pub slots: u32,
    /// Whether members are picked by lot where the algorithm is to take turns. Default: in turn.
    pub random: bool,
    /// Whether values are laid out as Maglev does, and not on Kong's ring. Default: on the ring.
    pub maglev: bool,
    /// How much a member may have under way, in percent of its share, before a value goes on to the next one. Default: no
    /// bound.
    pub hash_bound: Option<u16>,
    /// How members are checked. Default: not at all.
    pub checks: Healthchecks,
    /// How members that traffic made unhealthy come back (D20); none: not by themselves. Default: by its defaults.
    pub recovery: Option<Recovery>,
    /// Who is out as it fails more often than the others. Default: nobody.
    pub outliers: Option<Outliers>,
    /// The certificate that probes over TLS show.
    pub client_certificate: Option<Arc<Certificate>>,
    /// How members that are new or well again come to their full share. Default: at once. Not with consistent hashing.
    pub slow_start: Option<SlowStart>,
    /// The zone of this node: members of the same zone come first in their group. Default: zones do not count.
    pub zone: Option<Arc<str>>,
}

/// One member of a [`Group`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Its host, a name or an address.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
    /// Its share of the traffic.
    pub weight: u16,
    /// Its group: those of the lowest one take all requests as long as enough of them are well. Default 1.
    pub group: u16,
    /// Its zone. Default: none.
    pub zone: Option<Arc<str>>,
    /// The subsets that it is in. Default: none.
    pub subsets: Box<[Arc<str>]>,
}

impl Member {
    /// A member with the default weight, 100.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.into(), port, weight: 100, group: 1, zone: None, subsets: Box::default() }
    }

    /// The same with another weight; 0: it gets nothing.
    #[must_use]
    pub fn weighing(mut self, weight: u16) -> Self {
        self.weight = weight;
        self
    }

    /// The same in another group.
    #[must_use]
    pub fn in_group(mut self, group: u16) -> Self {
        self.group = group;
        self
    }

    /// The same in a zone.
    #[must_use]
    pub fn in_zone(mut self, zone: &str) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// The same in these subsets.
    #[must_use]
    pub fn in_subsets<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.subsets = names.into_iter().map(Into::into).collect();
        self
    }

    /// The host as it stands in a URI: an IPv6 address in brackets (RFC 3986 3.2.2).
    pub(crate) fn bracketed(&self) -> Cow<'_, str> {
        match self.host.parse::<Ipv6Addr>() {
            Ok(_) => Cow::Owned(format!("[{}]", self.host)),
            Err(_) => Cow::Borrowed(&self.host),
        }
    }

    /// Whether it is in this subset; all are in the whole.
    pub(crate) fn is_in(&self, subset: Option<&str>) -> bool {
        subset.is_none_or(|name| self.subsets.iter().any(|own| **own == *name))
    }

    /// The address, where the host is one.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        let bare = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match bare {
            Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => self.host.parse().ok(),
        }
    }
}

impl Group {
    /// A group of members that are called by their own hosts.
    #[must_use]
    pub fn new(name: &str, targets: impl IntoIterator<Item = Member>) -> Self {
        Self {
            name: name.into(),
            targets: targets.into_iter().collect(),
            host_header: None,
            use_srv_name: false,
            algorithm: Algorithm::RoundRobin,
            hashing: None,
            sticky: None,
            slots: 10_000,
            random: false,
            maglev: false,
            hash_bound: None,
            checks: Healthchecks::default(),
            recovery: Some(Recovery::default()),
            outliers: None,
            client_certificate: None,
            slow_start: None,
            zone: None,
        }
    }

    /// The group of one that a service's host and port make.
    #[must_use]
    pub fn of_service(service: &config::Service) -> Self {
        Self::new(&service.host, [Member::new(&service.host, service.port)])
    }

    /// An upstream and its targets.
    #[must_use]
    pub fn of_upstream<'a>(
        upstream: &config::Upstream,
        targets: impl IntoIterator<Item = &'a config::Target>,
    ) -> Self {
        let member = |target: &config::Target| {
            let (host, port) = split_port(&target.target);
            Member {
                weight: target.weight,
                group: target.group(),
                zone: target.zone().map(Into::into),
                subsets: target.subsets().map(Into::into).collect(),
                ..Member::new(host, port.unwrap_or(8000))
            }
        };
        Self {
            slow_start: slow_start(upstream),
            outliers: outliers(upstream),
            sticky: upstream.sticky().map(|name| Sticky::new(name, &upstream.hash_on_cookie_path)),
            host_header: upstream.host_header.clone(),
            use_srv_name: upstream.use_srv_name,
            algorithm: upstream.algorithm,
            hashing: Hashing::of_upstream(upstream),
            slots: upstream.slots,
            random: upstream.is_random(),
            maglev: upstream.is_maglev(),
            hash_bound: upstream.hash_bound(),
            checks: upstream.healthchecks.clone(),
            ..Self::new(&upstream.name, targets.into_iter().map(member))
        }
    }

    /// The same without what only tags say.
    pub(crate) fn without_tags(mut self) -> Self {
        (self.slow_start, self.outliers, self.sticky) = (None, None, None);
        (self.random, self.maglev, self.hash_bound) = (false, false, None);
        for target in &mut self.targets {
            (target.group, target.zone, target.subsets) = (1, None, Box::default());
        }
        self
    }

    /// The names of its subsets.
    pub(crate) fn subsets(&self) -> BTreeSet<&Arc<str>> {
        self.targets.iter().flat_map(|member| &member.subsets).collect()
    }

    /// The same with the members of one subset alone.
    pub(crate) fn subset(&self, name: &str) -> Self {
        let mut part = self.clone();
        part.targets.retain(|member| member.is_in(Some(name)));
        part
    }

    /// The level of a member: its group, and within that whether it is of this node's zone.
    pub(crate) fn level(&self, member: &Member) -> u32 {
        let elsewhere = self.zone.is_some() && member.zone != self.zone;
        u32::from(member.group) * 2 + u32::from(elsewhere)
    }

    /// How sessions stay, where that has a say.
    pub(crate) fn sticky(&self) -> Option<&Sticky> {
        self.sticky.as_ref().filter(|_| self.algorithm != Algorithm::ConsistentHashing)
    }

    /// Whether the requests to all its members are counted together.
    pub(crate) fn is_bounded(&self) -> bool {
        self.algorithm == Algorithm::ConsistentHashing && self.hash_bound.is_some()
    }

    /// Whether its members differ in rank or age.
    pub(crate) fn is_graded(&self) -> bool {
        let levels = || self.targets.iter().map(|member| self.level(member));
        self.slow_start.is_some() || levels().min() != levels().max()
    }

    /// Whether it is what the host and port of `service` alone make.
    pub(crate) fn is_of_service(&self, service: &config::Service) -> bool {
        *self == Self::of_service(service)
    }

    /// `Host` for a member, in clear and over TLS: the port is left out where it is the scheme's own
    /// (compat P36). `srv` is the name that an SRV record leads to.
    pub(crate) fn hosts(&self, member: &Member, port: u16, srv: Option<&str>) -> Hosts {
        let told = self.host_header.as_deref().or(srv.filter(|_| self.use_srv_name));
        let name = told.map_or_else(|| member.bracketed(), Cow::Borrowed);
        let name = name.as_ref();
        let with_port = || value(&format!("{name}:{port}"));
        match port {
            80 => Hosts { clear: value(name), tls: with_port() },
            443 => Hosts { clear: with_port(), tls: value(name) },
            _ => {
                let both = with_port();
                Hosts { clear: both.clone(), tls: both }
            }
        }
    }
}

fn slow_start(upstream: &config::Upstream) -> Option<SlowStart> {
    let window = Duration::try_from_secs_f64(upstream.slow_start()?).ok()?;
    let usual = SlowStart::default();
    let (aggression, least) = (upstream.slow_start_aggression(), upstream.slow_start_min());
    Some(SlowStart {
        window,
        aggression: aggression.unwrap_or(usual.aggression),
        least: least.map_or(usual.least, |percent| percent / 100.0),
    })
}

fn outliers(upstream: &config::Upstream) -> Option<Outliers> {
    let (deviations, failure_percent) = (upstream.eject_deviating(), upstream.eject_failing());
    deviations.map(|_| ()).or(failure_percent.map(|_| ()))?;
    let usual = Outliers::default();
    let interval = upstream.eject_interval().and_then(|time| Duration::try_from_secs_f64(time).ok());
    Some(Outliers {
        interval: interval.unwrap_or(usual.interval),
        minimum_hosts: upstream.eject_hosts().unwrap_or(usual.minimum_hosts),
        minimum_requests: upstream.eject_requests().unwrap_or(usual.minimum_requests),
        deviations,
        failure_percent,
    })
}

/// A configured host as a header value; the config room has refused those that are not.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("invalid"))
}

/// `host:port` taken apart; an IPv6 address keeps its brackets.
fn split_port(target: &str) -> (&str, Option<u16>) {
    match target.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (target, None),
        },
        _ => (target, None),
    }
}

#[cfg(test)]
mod tests {
    use super::{Group, Member, split_port};

    #[test]
    fn targets_are_taken_apart() {
        assert_eq!(split_port("a.b:81"), ("a.b", Some(81)));
        assert_eq!(split_port("a.b"), ("a.b", None));
        assert_eq!(split_port("[::1]:81"), ("[::1]", Some(81)));
        assert_eq!(split_port("::1"), ("::1", None));
    }

    #[test]
    fn host_shows_the_port_unless_it_is_the_schemes_own() {
        let group = Group { host_header: Some("hh.example".into()), ..Group::new("u", []) };
        let member = Member::new("127.0.0.1", 9101);
        assert_eq!(group.hosts(&member, 9101, None).clear, "hh.example:9101");
        let group = Group { host_header: None, ..group };
        assert_eq!(group.hosts(&member, 80, None).clear, "127.0.0.1");
        assert_eq!(group.hosts(&member, 80, None).tls, "127.0.0.1:80");
        assert_eq!(group.hosts(&Member::new("::1", 81), 81, None).clear, "[::1]:81");
        assert_eq!(group.hosts(&Member::new("[::1]", 443), 443, None).tls, "[::1]");
    }
}
