//! Which requests and answers have to do with the cache. Pure: time comes in.

use std::time::{Duration, Instant, SystemTime};

use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{
        AGE, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH,
        LAST_MODIFIED, VARY,
    },
};

use super::{
    directives::{Directives, list},
    freshness::{Freshness, Verdict},
    media::MediaType,
    store::Answer,
};

/// What of the configuration decides.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) methods: Box<[Method]>,
    pub(super) statuses: Box<[StatusCode]>,
    pub(super) content_types: Box<[MediaType]>,
    /// Whether `Cache-Control` counts, and with it RFC 9111.
    pub(super) cache_control: bool,
    /// Seconds.
    pub(super) cache_ttl: u64,
    /// How long an answer stays in the store, whether it may be used or not; none: as long as it may be used.
    pub(super) storage_ttl: Option<Duration>,
}

impl Policy {
    /// Whether the cache has to do with a request at all.
    pub(super) fn takes(&self, method: &Method, headers: &HeaderMap, asked: &Directives) -> bool {
        let forbidden = || asked.no_store || asked.no_cache || headers.contains_key(AUTHORIZATION);
        self.methods.contains(method) && !(self.cache_control && forbidden())
    }

    /// How long an answer may be used, if it is stored at all.
    pub(super) fn admits(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Option<Freshness> {
        if !self.statuses.contains(&status) || !self.admits_type(headers) {
            return None;
        }
        if !self.cache_control {
            return Some(Freshness::fixed(self.cache_ttl));
        }
        let told = Directives::of(headers);
        let forbidden = told.private || told.no_store || told.no_cache;
        if forbidden { None } else { Freshness::told(headers, &told, now) }
    }

    fn admits_type(&self, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(CONTENT_TYPE).into_iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return false };
        line.to_str().is_ok_and(|found| self.content_types.iter().any(|wanted| wanted.matches(found)))
    }

    /// When a stored answer is no longer there.
    pub(super) fn gone(&self, freshness: &Freshness, stored: Instant) -> Option<Instant> {
        let left = Duration::from_secs(freshness.lifetime.saturating_sub(freshness.initial_age));
        let ttl = self.storage_ttl.unwrap_or(left);
        // Nothing means for ever, as in Kong; what lies beyond the clock's end too.
        if ttl.is_zero() { None } else { stored.checked_add(ttl) }
    }

    /// Whether a stored answer of this age answers a client that asks for this.
    pub(super) fn judge(&self, answer: &Answer, age: u64, asked: &Directives) -> Verdict {
        if self.cache_control {
            return answer.freshness.judge(age, asked);
        }
        if age > self.cache_ttl { Verdict::Refresh } else { Verdict::Use }
    }
}

/// The fields of the request that an answer depends on; none where that cannot be said (`Vary: *`).
pub(super) fn vary(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut names = list(headers, &VARY).map(HeaderName::try_from).collect::<Result<Vec<_>, _>>().ok()?;
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    // `*` is a token, and so would be a name.
    (!names.iter().any(|name| name == "*")).then_some(names)
}

/// What of an answer's head is stored: not its length, which the body gives, unless it answered HEAD; not its age,
/// which grows; nor what is left of the client's allowance, which was another's.
pub(super) fn stored_headers(method: &Method, headers: &HeaderMap) -> HeaderMap {
    let kept = |name: &HeaderName| {
        !(name == AGE
            || (name == CONTENT_LENGTH && *method != Method::HEAD)
            || name.as_str().contains("ratelimit-remaining"))
    };
    let fields = headers.iter().filter(|(name, _)| kept(name));
    let mut stored = HeaderMap::with_capacity(headers.len());
    fields.for_each(|(name, value)| _ = stored.append(name, value.clone()));
    stored
}

/// Whether the client has the stored answer already (RFC 9110 13.2.2).
pub(super) fn has_already(asked: &HeaderMap, stored: &HeaderMap) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        let weak = |tag: &str| tag.trim_start_matches("W/").to_owned();
        let own = stored.get(ETAG).and_then(|tag| tag.to_str().ok()).map(weak);
        return list(asked, &IF_NONE_MATCH).any(|tag| tag == "*" || Some(weak(tag)) == own);
    }
    let date = |headers: &HeaderMap, name| {
        headers.get(name).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
    };
    let (since, modified) = (date(asked, IF_MODIFIED_SINCE), date(stored, LAST_MODIFIED));
    since.zip(modified).is_some_and(|(since, modified)| modified <= since)
}

#[cfg(test)]
mod tests;
