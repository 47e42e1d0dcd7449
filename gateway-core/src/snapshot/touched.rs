//! What a change reaches: the services whose backends it may change, and the routes that lead there.

use std::{collections::BTreeSet, sync::Arc};

use uuid::Uuid;

use super::{Snapshot, backends::Backends};
use crate::config::{Change, Checked, Plugin};

/// The services whose way to their endpoints may differ once `change` is made.
pub(super) fn services(change: &Change, checked: &Checked, previous: &Snapshot) -> BTreeSet<Uuid> {
    let mut touched: BTreeSet<Uuid> = change.services.keys().copied().collect();
    touched.extend(change.certificates.keys().flat_map(|id| checked.services_showing(*id)));
    touched.extend(change.ca_certificates.keys().flat_map(|id| checked.services_trusting(*id)));
    for upstream in upstreams(change, checked, previous) {
        for config in [previous.config(), checked.config()] {
            let name = config.upstreams.get(&upstream).map(|upstream| upstream.name.as_str());
            touched.extend(name.into_iter().flat_map(|name| previous.backends.leading_to(name, None)));
        }
    }
    touched
}

/// The upstreams that differ, or whose targets or certificate do.
fn upstreams(change: &Change, checked: &Checked, previous: &Snapshot) -> BTreeSet<Uuid> {
    let before = change.targets.keys().filter_map(|id| previous.config().targets.get(id));
    let targets = before.chain(change.targets.values().flatten());
    let mut touched: BTreeSet<Uuid> = targets.map(|target| target.upstream.id).collect();
    touched.extend(change.upstreams.keys());
    touched.extend(change.certificates.keys().flat_map(|id| checked.upstreams_showing(*id)));
    touched
}

/// The routes whose entries differ once `change` is made: by their own fields, by their service or its `backends`, by
/// those of another service that a plugin may send requests to, or by a plugin that reaches them.
pub(super) fn routes(
    change: &Change,
    services: &BTreeSet<Uuid>,
    backends: &Backends,
    checked: &Checked,
    previous: &Snapshot,
) -> BTreeSet<Uuid> {
    let mut touched: BTreeSet<Uuid> = change.routes.keys().copied().collect();
    let differs = |id: &&Uuid| {
        let (before, after) = (previous.backends.get(**id), backends.get(**id));
        change.services.contains_key(*id) || before.map(Arc::as_ptr) != after.map(Arc::as_ptr)
    };
    for service in services.iter().filter(differs) {
        touched.extend(checked.routes_of(*service).chain(previous.detours.routes_of(*service)));
    }
    let before = change.plugins.keys().filter_map(|id| previous.config().plugins.get(id));
    for plugin in before.chain(change.plugins.values().flatten()).chain(regrouped(change, checked)) {
        reach(plugin, checked, &mut touched);
    }
    touched
}

/// The plugins that are for groups whose members may differ.
pub(super) fn regrouped<'c>(change: &Change, checked: &'c Checked) -> impl Iterator<Item = &'c Arc<Plugin>> {
    let users = change.consumer_groups.keys().flat_map(|id| checked.users_of("consumer_groups", *id));
    let plugins = users.filter(|(by, _)| *by == "plugins");
    plugins.filter_map(|(_, id)| checked.config().plugins.get(&id))
}

/// Adds the routes that a plugin applies on, for some consumer at least.
fn reach(plugin: &Plugin, checked: &Checked, touched: &mut BTreeSet<Uuid>) {
    match (plugin.route, plugin.service) {
        (Some(route), _) => drop(touched.insert(route.id)),
        (None, Some(service)) => touched.extend(checked.routes_of(service.id)),
        (None, None) => touched.extend(checked.config().routes.keys()),
    }
}
