use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{Response, StatusCode};
use tokio::{sync::Notify, time::sleep};
use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneSyncService};

use super::{BalanceError, BalanceLayer, BalanceService};
use crate::health::{Outliers, Recovery};

type Endpoint = BoxCloneSyncService<bool, Response<usize>, Infallible>;

/// Answers with its index, a failure while it is `ill`; `true` hangs until it is told.
fn endpoint(index: usize, ill: Arc<AtomicBool>, go: Arc<Notify>) -> Endpoint {
    BoxCloneSyncService::new(service_fn(move |hangs: bool| {
        let (ill, go) = (Arc::clone(&ill), Arc::clone(&go));
        async move {
            if hangs {
                go.notified().await;
            }
            let mut response = Response::new(index);
            if ill.load(Relaxed) {
                *response.status_mut() = StatusCode::BAD_GATEWAY;
            }
            Ok(response)
        }
    }))
}

fn all(count: usize, layer: &BalanceLayer) -> (BalanceService<Endpoint>, Vec<Arc<AtomicBool>>, Arc<Notify>) {
    let (ill, go): (Vec<_>, Arc<Notify>) = ((0..count).map(|_| Arc::default()).collect(), Arc::default());
    let services =
        ill.iter().enumerate().map(|(index, ill)| endpoint(index, Arc::clone(ill), Arc::clone(&go)));
    (layer.layer(services.collect()), ill, go)
}

#[tokio::test]
async fn the_busy_one_is_spared_and_a_call_that_is_dropped_counts_no_more() {
    let (client, _, _go) = all(2, &BalanceLayer::new());
    // Two calls that hang, one at each.
    let hanging: Vec<_> = (0..2).map(|_| tokio::spawn(client.clone().oneshot(true))).collect();
    tokio::task::yield_now().await;
    hanging[1].abort();
    tokio::task::yield_now().await;
    let busy: usize = (0..2).map(|index| client.members.in_flight(index)).sum();
    assert_eq!(busy, 1);
    let mut at_the_busy_one = 0;
    for _ in 0..200 {
        let index = client.clone().oneshot(false).await.unwrap().into_body();
        at_the_busy_one += client.members.in_flight(index);
    }
    // Only where both choices fall on it.
    assert!(at_the_busy_one < 80, "{at_the_busy_one}");
}

#[tokio::test(start_paused = true)]
async fn who_fails_more_often_is_out_for_a_time_and_tried_again() {
    let outliers = Outliers {
        interval: Duration::from_secs(1),
        minimum_requests: 10,
        deviations: Some(1.9),
        ..Outliers::default()
    };
    let layer = BalanceLayer::new().ejecting(outliers, Recovery::default());
    let (client, ill, _) = all(6, &layer);
    ill[3].store(true, Relaxed);
    let asked = AtomicUsize::new(0);
    let ask = || async {
        sleep(Duration::from_millis(10)).await;
        let index = client.clone().oneshot(false).await.unwrap().into_body();
        asked.fetch_add(usize::from(index == 3), Relaxed);
    };
    for _ in 0..220 {
        ask().await;
    }
    assert_eq!(client.ejected(), 1);
    let before = asked.swap(0, Relaxed);
    assert!((15..=50).contains(&before), "{before}");
    for _ in 0..1_000 {
        ask().await;
    }
    assert_eq!(asked.load(Relaxed), 0, "out for 30 s");
    // One call tries it, which fails; after a minute another, which does not.
    for _ in 0..2_500 {
        ask().await;
    }
    assert_eq!((asked.swap(0, Relaxed), client.ejected()), (1, 1));
    ill[3].store(false, Relaxed);
    for _ in 0..6_600 {
        ask().await;
    }
    assert_eq!(client.ejected(), 0);
    assert!(asked.load(Relaxed) > 10);
}

#[tokio::test(start_paused = true)]
async fn where_all_are_out_all_are_asked() {
    let outliers = Outliers {
        interval: Duration::from_millis(100),
        minimum_requests: 1,
        minimum_hosts: 1,
        failure_percent: Some(50),
        ..Outliers::default()
    };
    let (client, ill, _) = all(3, &BalanceLayer::new().ejecting(outliers, Recovery::default()));
    ill.iter().for_each(|ill| ill.store(true, Relaxed));
    for _ in 0..60 {
        sleep(Duration::from_millis(10)).await;
        assert_eq!(client.clone().oneshot(false).await.unwrap().status(), 502);
    }
    assert_eq!(client.ejected(), 3);
}

#[tokio::test]
async fn nobody_to_ask_is_an_error() {
    let (mut client, _, _) = all(0, &BalanceLayer::new());
    assert!(matches!(client.ready().await.unwrap().call(false).await, Err(BalanceError::Empty)));
}
