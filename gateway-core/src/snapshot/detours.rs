//! The services that routes lead to besides their own, because their plugins may choose them.

use std::sync::Arc;

use imbl::OrdSet;
use uuid::Uuid;

use crate::{
    config::{Checked, Service, derived_id},
    plugin::{Destination, To},
};

/// Which routes lead to which services besides their own. Clones share what did not change.
#[derive(Clone, Default)]
pub(super) struct Detours {
    /// Service and route.
    by_service: OrdSet<(Uuid, Uuid)>,
    /// Route and service.
    by_route: OrdSet<(Uuid, Uuid)>,
}

impl Detours {
    /// The routes that lead to a service besides their own.
    pub(super) fn routes_of(&self, service: Uuid) -> impl Iterator<Item = Uuid> {
        seconds(&self.by_service, service)
    }

    /// Notes all services that a route leads to now. Gives those that it led to before and no route does any more.
    pub(super) fn set(&mut self, route: Uuid, services: &[Uuid]) -> Vec<Uuid> {
        let before: Vec<_> = seconds(&self.by_route, route).collect();
        for service in &before {
            self.by_service.remove(&(*service, route));
            self.by_route.remove(&(route, *service));
        }
        self.by_service.extend(services.iter().map(|service| (*service, route)));
        self.by_route.extend(services.iter().map(|service| (route, *service)));
        before.into_iter().filter(|service| self.routes_of(*service).next().is_none()).collect()
    }
}

fn seconds(pairs: &OrdSet<(Uuid, Uuid)>, first: Uuid) -> impl Iterator<Item = Uuid> {
    pairs.range((first, Uuid::nil())..=(first, Uuid::max())).map(|(_, second)| *second)
}

/// The service that a destination of a route with the service `own` is. One that only names a host is the own service
/// there; it has an id of its own, the same at each load. None where the route has no service to be like.
///
/// # Errors
/// With what to tell whoever named it.
pub(super) fn service_of(
    destination: &Destination,
    own: Option<&Arc<Service>>,
    checked: &Checked,
) -> Result<Option<Arc<Service>>, String> {
    match destination.to() {
        To::Service(name) => match checked.service_named(name) {
            Some(service) => Ok(Some(Arc::clone(service))),
            None => Err(format!("there is no service '{name}'")),
        },
        To::Host(host, port) => Ok(own.map(|own| Arc::new(at(own, destination, host.as_deref(), *port)))),
    }
}

/// A service, at another host or port.
fn at(own: &Service, destination: &Destination, host: Option<&str>, port: Option<u16>) -> Service {
    let mut service = own.clone();
    service.id = derived_id("services", &format!("{} at {destination}", own.id));
    service.host = host.map_or_else(|| own.host.clone(), str::to_owned);
    service.port = port.unwrap_or(own.port);
    if service.host != own.host {
        // Its subset is one of its own upstream.
        service.tags = None;
    }
    service
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Detours;

    #[test]
    fn a_service_is_left_once_no_route_leads_there() {
        let [a, b, x, y] = [1, 2, 3, 4].map(Uuid::from_u128);
        let mut detours = Detours::default();
        assert!(detours.set(a, &[x, y]).is_empty());
        assert!(detours.set(b, &[x]).is_empty());
        assert_eq!(detours.routes_of(x).collect::<Vec<_>>(), [a, b]);
        assert_eq!(detours.set(a, &[]), [y]);
        assert_eq!(detours.set(b, &[y]), [x]);
        assert_eq!(detours.routes_of(y).collect::<Vec<_>>(), [b]);
        assert!(detours.set(b, &[y]).is_empty());
    }
}
