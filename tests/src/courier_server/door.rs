//! Where callbacks arrive in a test: one route that hands the raw body to a closure.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// An open door; closed when dropped.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    // Dropping a runtime ends its tasks.
    _runtime: Runtime,
}

impl Door {
    /// Gives each body to `take`, which says the status of the answer.
    pub fn open(take: impl Fn(&[u8]) -> u16 + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let take = Arc::new(take);
        let handler = move |body: Bytes| {
            let take = take.clone();
            async move { StatusCode::from_u16(take(&body)).expect("a status") }
        };
        let routes = Router::new().route("/callbacks/fengniao", post(handler));
        // The runtime that runs this is dropped with the door.
        runtime.spawn(async move { drop(axum::serve(listener, routes).await) });
        Self { address, _runtime: runtime }
    }

    /// Where the callbacks go.
    pub fn url(&self) -> String {
        format!("http://{}/callbacks/fengniao", self.address)
    }
}
