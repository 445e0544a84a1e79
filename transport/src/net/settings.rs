//! QUIC's settings for node links, and the endpoint that has them.

use std::sync::Arc;

use quinn::congestion::{BbrConfig, CubicConfig};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint, IdleTimeout, ServerConfig, TransportConfig, VarInt};

use crate::credential::NodeTls;
use crate::limits::{
    DATAGRAM_BUFFER_BYTES, FRAME_BYTES_MAX, INCOMING_BYTES, INCOMING_BYTES_TOTAL, INCOMING_MAX, LANES,
    QUIC_SEND_BYTES_MAX, RECEIVE_WINDOW_BYTES_MAX, RECEIVE_WINDOW_BYTES_MIN, STREAM_WINDOW_PART, WINDOW_BYTES_MIN,
};
use crate::net::{Congestion, NetConfig, NetError};
use crate::trust::{TlsClock, link_client, link_server};

/// Binds the socket with the listening side configured.
pub(super) fn open_endpoint(cfg: &NetConfig, tls: &NodeTls, clock: &TlsClock) -> Result<Endpoint, NetError> {
    let server = server_config(cfg, tls, clock)?;
    Endpoint::server(server, cfg.bind).map_err(|source| NetError::Bind { addr: cfg.bind, source })
}

/// The listening side.
pub(super) fn server_config(cfg: &NetConfig, tls: &NodeTls, clock: &TlsClock) -> Result<ServerConfig, NetError> {
    let mut server = ServerConfig::with_crypto(Arc::new(link_server(tls, clock)?));
    server.transport_config(Arc::new(transport(cfg)?));
    bound_incoming(&mut server);
    Ok(server)
}

/// The dialing side.
pub(super) fn client_config(cfg: &NetConfig, tls: &NodeTls, clock: &TlsClock) -> Result<ClientConfig, NetError> {
    let crypto: QuicClientConfig = link_client(tls, clock)?;
    let mut client = ClientConfig::new(Arc::new(crypto));
    client.transport_config(Arc::new(transport(cfg)?));
    Ok(client)
}

/// Bounds on what strangers can make an endpoint hold (S22).
pub(crate) fn bound_incoming(server: &mut ServerConfig) {
    server
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(INCOMING_BYTES_TOTAL);
}

fn transport(cfg: &NetConfig) -> Result<TransportConfig, NetError> {
    if cfg.links_max == 0 {
        return Err(NetError::Config("links_max"));
    }
    if !(WINDOW_BYTES_MIN..=FRAME_BYTES_MAX).contains(&cfg.window_bytes_max) {
        return Err(NetError::Config("window_bytes_max"));
    }
    if cfg.keep_alive >= cfg.idle_timeout {
        return Err(NetError::Config("keep_alive"));
    }
    let idle = IdleTimeout::try_from(cfg.idle_timeout).map_err(|_| NetError::Config("idle_timeout"))?;
    let window =
        (cfg.receive_budget_bytes / cfg.links_max as u64).clamp(RECEIVE_WINDOW_BYTES_MIN, RECEIVE_WINDOW_BYTES_MAX);
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_uni_streams(VarInt::from_u32(LANES as u32))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER_BYTES))
        .datagram_send_buffer_size(DATAGRAM_BUFFER_BYTES)
        .receive_window(VarInt::from_u32(window as u32))
        .stream_receive_window(VarInt::from_u32((window / STREAM_WINDOW_PART) as u32))
        .send_window(QUIC_SEND_BYTES_MAX)
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(cfg.keep_alive));
    match cfg.congestion {
        Congestion::Cubic => transport.congestion_controller_factory(Arc::new(CubicConfig::default())),
        Congestion::Bbr => transport.congestion_controller_factory(Arc::new(BbrConfig::default())),
    };
    Ok(transport)
}
