//! A server that gives what it was told to give, and notes who asked for it.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// What is given for a path with its query.
pub(crate) type Given = (StatusCode, Vec<(&'static str, String)>, Vec<u8>);

#[derive(Clone, Default)]
pub(crate) struct Pages {
    pub(crate) given: Arc<Mutex<HashMap<String, Given>>>,
    /// Paths, and what who asked is known by.
    pub(crate) asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Pages {
    pub(crate) fn put(&self, path: &str, status: u16, headers: &[(&'static str, &str)], body: &[u8]) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let given = (StatusCode::from_u16(status).unwrap(), headers, body.to_vec());
        self.given.lock().unwrap().insert(path.to_owned(), given);
    }

    /// What was asked for, and by whom, since this was asked last.
    pub(crate) fn asked(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().to_string();
        let who = request.headers().get(AUTHORIZATION).map_or("", |value| value.to_str().unwrap());
        self.asked.lock().unwrap().push((path.clone(), who.to_owned()));
        let given = self.given.lock().unwrap();
        // A page that is for those alone who are known.
        let found = given.get(&format!("{path} {who}")).or_else(|| given.get(&path));
        let Some((status, headers, body)) = found else {
            return Response::builder().status(404).body(Full::default()).unwrap();
        };
        let mut response = Response::builder().status(*status);
        for (name, value) in headers {
            response = response.header(*name, value);
        }
        response.body(Full::new(Bytes::copy_from_slice(body))).unwrap()
    }

    fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let pages = self.clone();
        let service = service_fn(move |request| {
            let answer = pages.answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }

    /// In clear.
    pub(crate) async fn start(&self) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, pages) = (listener.local_addr().unwrap(), self.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                pages.serve(stream);
            }
        });
        (address, task)
    }

    /// Over TLS, as `localhost`; with the certificate that says so.
    pub(crate) async fn start_tls(&self) -> (SocketAddr, JoinHandle<()>, String) {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
        let (acceptor, listener) =
            (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let (address, pages) = (listener.local_addr().unwrap(), self.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    pages.serve(stream);
                }
            }
        });
        (address, task, certified.cert.pem())
    }
}
