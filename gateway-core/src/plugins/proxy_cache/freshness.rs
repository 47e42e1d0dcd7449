//! How long an answer may be used, and whether it may be now (RFC 9111 4.2). Pure: time comes in.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap,
    header::{AGE, DATE, EXPIRES},
};

use super::directives::Directives;

/// How old a stored answer is, and what it says about that. Seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Freshness {
    /// Its age when it was stored.
    pub(super) initial_age: u64,
    /// How old it may become.
    pub(super) lifetime: u64,
    /// Whether it may never be used stale.
    pub(super) strict: bool,
}

/// What to do with a stored answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answers.
    Use,
    /// The upstream is asked again.
    Refresh,
}

impl Freshness {
    /// As the configuration alone says it (Kong without `cache_control`).
    pub(super) const fn fixed(ttl: u64) -> Self {
        Self { initial_age: 0, lifetime: ttl, strict: true }
    }

    /// As the answer says it, where it has a lifetime.
    pub(super) fn told(headers: &HeaderMap, directives: &Directives, now: SystemTime) -> Option<Self> {
        let explicit = directives.s_maxage.or(directives.max_age);
        let lifetime = explicit.or_else(|| expires(headers, now)).unwrap_or(0);
        let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or(0);
        let strict = directives.must_revalidate || directives.s_maxage.is_some();
        (lifetime > age).then_some(Self { initial_age: age, lifetime, strict })
    }

    /// The age of an answer that was stored `resident` ago (RFC 9111 4.2.3).
    pub(super) fn age(&self, resident: Duration) -> u64 {
        self.initial_age.saturating_add(resident.as_secs())
    }

    /// Whether it may be used at this age, for a client that asks for nothing.
    pub(super) const fn is_fresh(&self, age: u64) -> bool {
        age < self.lifetime
    }

    /// Whether it may be used at this age, for a client that asks for this (RFC 9111 5.2.1).
    pub(super) fn judge(&self, age: u64, asked: &Directives) -> Verdict {
        let left = self.lifetime.saturating_sub(age);
        let too_old = asked.max_age.is_some_and(|most| age > most);
        let too_short = asked.min_fresh.is_some_and(|least| left < least);
        let stale_by = age.saturating_sub(self.lifetime);
        let stale_allowed = !self.strict && asked.max_stale.is_some_and(|most| stale_by <= most);
        let usable = self.is_fresh(age) || stale_allowed;
        if usable && !too_old && !too_short { Verdict::Use } else { Verdict::Refresh }
    }
}

/// The lifetime that `Expires` gives; a date that is none has passed (RFC 9111 5.3).
fn expires(headers: &HeaderMap, now: SystemTime) -> Option<u64> {
    let date = |name| headers.get(name)?.to_str().ok().and_then(|text| httpdate::parse_http_date(text).ok());
    headers.get(EXPIRES)?;
    let lifetime = date(EXPIRES).and_then(|end| end.duration_since(date(DATE).unwrap_or(now)).ok());
    Some(lifetime.map_or(0, |lifetime| lifetime.as_secs()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Directives, Freshness, Verdict};

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        fields.iter().map(field).collect()
    }

    fn told(fields: &[(&'static str, &str)]) -> Option<(u64, u64)> {
        let headers = headers(fields);
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let freshness = Freshness::told(&headers, &Directives::of(&headers), now)?;
        Some((freshness.initial_age, freshness.lifetime))
    }

    #[test]
    fn the_lifetime_is_what_speaks_for_shared_caches_first() {
        let expires = ("expires", "Sun, 06 Nov 1994 08:50:37 GMT");
        assert_eq!(told(&[("cache-control", "max-age=5, s-maxage=7"), expires]), Some((0, 7)));
        assert_eq!(told(&[("cache-control", "max-age=5"), expires]), Some((0, 5)));
        assert_eq!(told(&[expires]), Some((0, 60)));
        assert_eq!(told(&[expires, ("date", "Sun, 06 Nov 1994 08:50:27 GMT")]), Some((0, 10)));
        assert_eq!(told(&[("cache-control", "max-age=5"), ("age", "4")]), Some((4, 5)));
        for none in [
            &[][..],
            &[("cache-control", "public")],
            &[("cache-control", "max-age=0"), expires],
            &[("cache-control", "max-age=x"), expires],
            &[("cache-control", "max-age=5"), ("age", "5")],
            &[("expires", "0")],
            &[("expires", "Sun, 06 Nov 1994 08:49:37 GMT")],
        ] {
            assert_eq!(told(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_client_can_ask_for_fresher_or_take_staler() {
        let lifetime = Freshness { initial_age: 0, lifetime: 10, strict: false };
        let strict = Freshness { strict: true, ..lifetime };
        for (freshness, age, asked, verdict) in [
            (lifetime, 9, "", Verdict::Use),
            (lifetime, 10, "", Verdict::Refresh),
            (lifetime, 5, "max-age=5", Verdict::Use),
            (lifetime, 6, "max-age=5", Verdict::Refresh),
            (lifetime, 6, "min-fresh=4", Verdict::Use),
            (lifetime, 7, "min-fresh=4", Verdict::Refresh),
            (lifetime, 13, "max-stale=3", Verdict::Use),
            (lifetime, 14, "max-stale=3", Verdict::Refresh),
            (lifetime, 1_000_000, "max-stale", Verdict::Use),
            (lifetime, 13, "max-stale=3, max-age=12", Verdict::Refresh),
            (strict, 10, "max-stale", Verdict::Refresh),
            (strict, 9, "max-stale", Verdict::Use),
        ] {
            let asked = Directives::of(&headers(&[("cache-control", asked)]));
            assert_eq!(freshness.judge(age, &asked), verdict, "{freshness:?} at {age} for {asked:?}");
        }
    }

    #[test]
    fn age_grows_with_the_time_in_the_store() {
        let freshness = Freshness { initial_age: 4, lifetime: 10, strict: false };
        assert_eq!(freshness.age(Duration::from_millis(5999)), 9);
        assert_eq!(Freshness { initial_age: u64::MAX, ..freshness }.age(Duration::from_secs(1)), u64::MAX);
    }
}
