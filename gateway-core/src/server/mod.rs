#![allow(missing_docs)]
use crate::{Body, ConnectInfo};
use http::{Request, Response};
use std::{future::Future, sync::Arc};
pub trait Serve: Clone + Send + Sync + 'static {
    fn serve(
        &self,
        connection: &Arc<ConnectInfo>,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static;
}
