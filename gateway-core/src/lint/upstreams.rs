//! Upstreams.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Code, Finding, Findings, Party};
use crate::{
    config::{Config, Upstream, tags},
    router::Label,
};

pub(super) fn lint(config: &Config, findings: &mut Findings) {
    for upstream in config.upstreams.values() {
        let named = [
            ("hash_on_header", &upstream.hash_on_header),
            ("hash_fallback_header", &upstream.hash_fallback_header),
        ];
        for (field, name) in named {
            let Some(name) = name.as_ref().filter(|name| name.contains('-')) else { continue };
            let entity = Party::new("upstreams", Label::new(upstream.id, Some(&upstream.name)));
            let message = format!(
                "Kong 3.9 never finds a header with a dash in its name to hash on, so all requests went the way of the fallback; here `{name}` is found, and requests spread by it"
            );
            let help = "nothing, if that is what was meant; remove it to keep what Kong did";
            findings.push(Finding::new(Code::HashOnHeaderWithDash, entity, message, help).at(field));
        }
    }
    for upstream in config.upstreams.values() {
        says_nothing(
            upstream.tags.as_deref(),
            &tags::OF_UPSTREAMS,
            |message| at(upstream, "tags", message),
            findings,
        );
    }
    for target in config.targets.values() {
        let Some(upstream) = config.upstreams.get(&target.upstream.id) else { continue };
        let of_target = |message| at(upstream, "targets", format!("target {}: {message}", target.target));
        says_nothing(target.tags.as_deref(), &tags::OF_TARGETS, of_target, findings);
    }
    subsets(config, findings);
    ttl(config, findings);
}

/// Who serves a file alone hears no signs of life, and takes nothing out.
fn ttl(config: &Config, findings: &mut Findings) {
    let leased: BTreeSet<_> = config
        .targets
        .values()
        .filter(|target| target.ttl.is_some())
        .map(|target| target.upstream.id)
        .collect();
    for upstream in leased.iter().filter_map(|id| config.upstreams.get(id)) {
        let entity = Party::new("upstreams", Label::new(upstream.id, Some(&upstream.name)));
        let message = "targets with a `ttl` stay for ever where this file is served without a store; over a store they go once they are silent for that long";
        let help = "nothing, if the file is for a store; remove `ttl` otherwise";
        findings.push(Finding::new(Code::TtlNeedsStore, entity, message, help).at("targets"));
    }
}

/// Services that want a subset which is not there.
fn subsets(config: &Config, findings: &mut Findings) {
    let named: HashMap<_, _> =
        config.upstreams.values().map(|upstream| (upstream.name.as_str(), upstream.id)).collect();
    let members = config.targets.values().map(|target| (target.upstream.id, target.subsets()));
    let known: HashSet<_> = members.flat_map(|(id, names)| names.map(move |name| (id, name))).collect();
    for service in config.services.values() {
        let of_service = |message| {
            let entity = Party::new("services", Label::new(service.id, service.name.as_deref()));
            Finding::new(Code::TagSaysNothing, entity, message, HELP).at("tags")
        };
        says_nothing(service.tags.as_deref(), &tags::OF_SERVICES, of_service, findings);
        let Some(wanted) = service.subset() else { continue };
        let host = &service.host;
        match named.get(host.as_str()) {
            None => findings.push(of_service(format!(
                "`subset:{wanted}` picks among the targets of an upstream, and `{host}` is none"
            ))),
            Some(id) if !known.contains(&(*id, wanted)) => findings.push(of_service(format!(
                "no target of `{host}` has the tag `subset:{wanted}`, so all requests get 503 `no_targets`"
            ))),
            Some(_) => {}
        }
    }
}

const HELP: &str = "see docs/upstreams.md for its values, or give the tag another name";

/// A finding about an upstream: of its targets nothing but all their text says where they stand.
fn at(upstream: &Upstream, field: &str, message: String) -> Finding {
    let entity = Party::new("upstreams", Label::new(upstream.id, Some(&upstream.name)));
    Finding::new(Code::TagSaysNothing, entity, message, HELP).at(field)
}

/// Tags that have the name of one that says something, and a value that does not.
fn says_nothing(
    tags: Option<&[String]>,
    known: &[(&str, tags::Says)],
    finding: impl Fn(String) -> Finding,
    findings: &mut Findings,
) {
    for tag in tags.into_iter().flatten() {
        let Some((name, value)) = tag.split_once(':') else { continue };
        if !known.iter().any(|(known, says)| *known == name && !says(value)) {
            continue;
        }
        findings
            .push(finding(format!("`{name}:` is read by this gateway, but `{value}` says nothing to it")));
    }
}
