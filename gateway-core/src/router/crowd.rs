//! Many rules under one host and one path, found by the signs that a request shows.
//!
//! Each rule stands under one of its lists of signs, under each of the list: the one whose places are the emptiest.
//! Thousands of rules that differ by a header's value, by the method, or by a text in the middle of an expression
//! (`~/[^/]+/orders/`) so cost a request a few look-ups. Rules without a sign are checked one by one.

use std::hash::Hash;

use http::HeaderName;

use super::{
    candidate::{Candidate, Found},
    filter::Filter,
    list::{Entry, List},
    map::Map,
    request::Request,
    sign::{Mark, Signs, Text, header_mark, method_mark},
};

/// A clone shares nearly all.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd {
    best: Option<Entry>,
    /// By values of headers and by methods.
    marked: Map<Mark, List>,
    texts: Map<Text, List>,
    /// The texts that may be there.
    filter: Filter,
    /// The headers that are looked at, each with the number of rules that need it.
    headers: Vec<(HeaderName, usize)>,
    /// How many rules stand under methods.
    methods: usize,
    /// Those without signs.
    rest: List,
}

/// So many headers are looked at.
const HEADERS: usize = 8;

impl Crowd {
    pub(super) const fn is_empty(&self) -> bool {
        self.best.is_none()
    }

    pub(super) fn insert(&mut self, entry: Entry) {
        if self.best.as_ref().is_none_or(|best| entry.rule.beats(&best.rule)) {
            self.best = Some(entry.clone());
        }
        let lists = Signs::of(&entry.rule.guard).into_iter().filter(|signs| self.looks_at(signs));
        match lists.min_by_key(|signs| self.load(signs)) {
            None => self.rest.insert(entry),
            Some(Signs::Texts(texts)) => {
                self.filter.insert(&texts, &self.texts);
                put(&mut self.texts, texts, &entry);
            }
            Some(Signs::Header(name, marks)) => {
                self.count(&name);
                put(&mut self.marked, marks, &entry);
            }
            Some(Signs::Methods(marks)) => {
                self.methods += 1;
                put(&mut self.marked, marks, &entry);
            }
        }
    }

    /// Takes out `rule`, which may stand under any of its lists of signs.
    pub(super) fn remove(&mut self, rule: &Candidate) {
        self.rest.remove(rule);
        for signs in Signs::of(&rule.guard) {
            match signs {
                Signs::Texts(texts) => drop(take(&mut self.texts, texts, rule)),
                Signs::Header(name, marks) => {
                    let gone = take(&mut self.marked, marks, rule);
                    self.uncount(&name, gone);
                }
                Signs::Methods(marks) => {
                    self.methods = self.methods.saturating_sub(take(&mut self.marked, marks, rule));
                }
            }
        }
        if self.best.as_ref().is_some_and(|best| best.rule.is(rule)) {
            let lists = self.marked.values().chain(self.texts.values()).chain([&self.rest]);
            let firsts = lists.filter_map(List::best);
            self.best = firsts.reduce(|a, b| if a.rule.beats(&b.rule) { a } else { b }).cloned();
        }
    }

    /// As [`List::find`].
    pub(super) fn find<'i>(
        &'i self,
        best: Option<Found<'i>>,
        prefix: usize,
        request: &Request<'_>,
    ) -> Option<Found<'i>> {
        if !self.best.as_ref().is_some_and(|own| own.beats(best)) {
            return best;
        }
        let lists = self.by_header(request).chain(self.by_method(request)).chain(self.by_text(request));
        lists.chain([&self.rest]).fold(best, |best, list| list.find(best, prefix, request))
    }

    fn by_header(&self, request: &Request<'_>) -> impl Iterator<Item = &List> {
        let headers = request.head.headers;
        let fields = self.headers.iter().flat_map(move |(name, _)| {
            headers.get_all(name).iter().map(move |value| header_mark(name, value.as_bytes()))
        });
        fields.filter_map(|mark| self.marked.get(&mark))
    }

    fn by_method(&self, request: &Request<'_>) -> Option<&List> {
        if self.methods == 0 { None } else { self.marked.get(&method_mark(request.head.method)) }
    }

    fn by_text(&self, request: &Request<'_>) -> impl Iterator<Item = &List> {
        let path = if self.texts.is_empty() { "" } else { request.path() };
        let texts = path.as_bytes().windows(size_of::<Text>()).filter_map(|text| text.first_chunk());
        texts.filter(|text| self.filter.may_have(**text)).filter_map(|text| self.texts.get(text))
    }

    fn looks_at(&self, signs: &Signs) -> bool {
        let Signs::Header(name, _) = signs else { return true };
        self.headers.len() < HEADERS || self.headers.iter().any(|(own, _)| own == name)
    }

    /// How many rules stand where the entry would, at most.
    fn load(&self, signs: &Signs) -> usize {
        let lists: &mut dyn Iterator<Item = Option<&List>> = match signs {
            Signs::Texts(texts) => &mut texts.iter().map(|text| self.texts.get(text)),
            Signs::Header(_, marks) | Signs::Methods(marks) => {
                &mut marks.iter().map(|mark| self.marked.get(mark))
            }
        };
        lists.map(|list| list.map_or(0, List::len)).max().unwrap_or(0)
    }

    fn count(&mut self, name: &HeaderName) {
        match self.headers.iter_mut().find(|(own, _)| own == name) {
            Some((_, count)) => *count += 1,
            None => self.headers.push((name.clone(), 1)),
        }
    }

    fn uncount(&mut self, name: &HeaderName, gone: usize) {
        for (_, count) in self.headers.iter_mut().filter(|(own, _)| own == name) {
            *count = count.saturating_sub(gone);
        }
        self.headers.retain(|(_, count)| *count > 0);
    }
}

fn put<K: Hash + Eq + Clone>(lists: &mut Map<K, List>, keys: Vec<K>, entry: &Entry) {
    for key in keys {
        lists.entry(key).or_default().insert(entry.clone());
    }
}

/// Takes `rule` out of these lists; how often it was in one.
fn take<K: Hash + Eq + Clone>(lists: &mut Map<K, List>, keys: Vec<K>, rule: &Candidate) -> usize {
    let mut most = 0;
    for key in keys {
        let Some(list) = lists.get_mut(&key) else { continue };
        most = most.max(list.remove(rule));
        if list.best().is_none() {
            lists.remove(&key);
        }
    }
    most
}
