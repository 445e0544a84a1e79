//! Backups of a running node: left beside its database, or streamed to the client.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use utoipa::ToSchema;

use super::Api;
use super::problem::{Answered, Kind, Problem};
use crate::backup::{BackupError, take};

/// A backup that lies on the node's own disk.
#[derive(Serialize, ToSchema)]
pub struct BackupAnswer {
    /// Where. Whoever asked may move it away.
    path: String,
    /// Its length.
    bytes: u64,
}

/// Takes a backup and leaves it on the node's disk. From the node's own machine.
#[utoipa::path(post, path = "/v1/backup", tag = "nodes", responses((status = 201, body = BackupAnswer)))]
pub async fn create_backup(State(api): State<Arc<Api>>) -> Answered {
    let path = take(&api.handle, &api.info).await.map_err(failed)?;
    let bytes = tokio::fs::metadata(&path).await.map_err(|error| failed(error.into()))?.len();
    let answer = BackupAnswer { path: path.display().to_string(), bytes };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Takes a backup and sends it; nothing of it stays on the node's disk. From the node's own machine.
#[utoipa::path(get, path = "/v1/backup", tag = "nodes",
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn download_backup(State(api): State<Arc<Api>>) -> Answered {
    let path = take(&api.handle, &api.info).await.map_err(failed)?;
    let file = File::open(&path).await;
    // The open file lives on without its name, and is gone with the last byte, however this request ends.
    let removed = tokio::fs::remove_file(&path).await;
    let file = file.and_then(|file| removed.map(|()| file)).map_err(|error| failed(error.into()))?;
    let bytes = file.metadata().await.map_err(|error| failed(error.into()))?.len();
    let chunks = futures_util::stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then_some((chunk, file)))
    });
    let name = path.file_name().map_or_else(Default::default, |name| name.to_string_lossy().into_owned());
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, bytes.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

fn failed(error: BackupError) -> Problem {
    tracing::error!(%error, "backup failed");
    Problem::new(Kind::Storage, "the backup could not be written")
}

/// The path, which the gate gives more time.
pub const PATH: &str = "/v1/backup";

const CHUNK_BYTES: usize = 64 * 1024;
