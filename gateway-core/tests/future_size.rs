//! A request under way takes little room: its future is allocated and filled for each.
use std::sync::Arc;

use gateway_core::{Body, ConnectInfo, Gateway};

#[tokio::test]
async fn the_future_of_a_request_is_small() {
    let gateway = Gateway::builder().build().unwrap();
    let request = || http::Request::new(Body::empty());
    let connection = Arc::new(ConnectInfo::unknown());
    let future = gateway.handle(&connection, request());
    let size = size_of_val(&future);
    assert!(size <= 3072, "{size} bytes");
}
