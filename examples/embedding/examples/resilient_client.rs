//! A client of another service, without any gateway: of its endpoints the less busy one is asked, who fails more often than
//! the others is left out for a while, each has a circuit breaker, and what fails is tried again within a budget. The
//! client is hyper-util's; any other will do that is a Tower service.
//!
//! Run: python3 -m http.server 9000 &
//! Then: cargo run -p embedding --example resilient_client

use std::{error::Error, time::Duration};

use gateway_core::{
    Body, breaker,
    health::{Outliers, Recovery},
    layers::{BalanceError, BalanceLayer, BreakerError, BreakerLayer, Failed, RetryError, RetryLayer},
    retry,
};
use http::{Request, Response, Uri, uri::Scheme};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};

/// Why an endpoint has no response: its breaker is open, or it failed.
type Refused = BalanceError<BreakerError<legacy::Error>>;
type Incoming = hyper::body::Incoming;
type Endpoint = BoxCloneSyncService<Request<Body>, Response<Incoming>, BreakerError<legacy::Error>>;
type Client = BoxCloneSyncService<Request<Body>, Response<Incoming>, RetryError<Refused>>;

/// Asks the service that listens on these ports.
pub(crate) fn client(ports: &[u16]) -> Client {
    let client = legacy::Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let endpoints: Vec<_> = ports.iter().map(|port| endpoint(&client, *port)).collect();
    let outliers = Outliers { deviations: Some(1.9), ..Outliers::default() };
    let stack = ServiceBuilder::new()
        .layer(retry())
        // One of the endpoints for each try.
        .layer(BalanceLayer::new().ejecting(outliers, Recovery::default()))
        .service(endpoints);
    Client::new(stack)
}

fn retry() -> RetryLayer<impl Fn(&Refused) -> Failed + Clone> {
    let mut settings = retry::Settings::default();
    (settings.retries, settings.per_try) = (Some(3), Some(Duration::from_millis(500)));
    // Of two endpoints one may be gone: then every other request meets its breaker first.
    let share = retry::Share { percent: 100, per_second: 10 };
    RetryLayer::new(settings, share).judge(|error: &Refused| match error {
        // Nobody was asked: any request may go to another one.
        BalanceError::Inner(BreakerError::Open(_)) => Failed::Unsent,
        BalanceError::Inner(BreakerError::Inner(error)) if error.is_connect() => Failed::Unsent,
        BalanceError::Inner(BreakerError::Inner(_)) => Failed::Unknown,
        BalanceError::Empty => Failed::Final,
    })
}

/// One endpoint behind its breaker.
fn endpoint(client: &legacy::Client<HttpConnector, Body>, port: u16) -> Endpoint {
    let mut settings = breaker::Settings::default();
    settings.consecutive = 3;
    let asked = ServiceBuilder::new()
        .layer(BreakerLayer::new(settings))
        .map_request(move |mut request: Request<Body>| {
            *request.uri_mut() = at(request.uri(), port);
            request
        })
        .service(client.clone());
    Endpoint::new(asked)
}

/// The same path at an endpoint.
fn at(uri: &Uri, port: u16) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = format!("127.0.0.1:{port}").parse().ok();
    Uri::from_parts(parts).unwrap_or_default()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Nothing listens on the second port: its breaker opens, and the first one answers.
    let client = client(&[9000, 9001]);
    for number in 1..=5 {
        let response = client.clone().oneshot(Request::get("/").body(Body::empty())?).await?;
        println!("{number}: {}", response.status());
    }
    Ok(())
}
