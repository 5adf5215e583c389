//! The server: one node over the embedded store, and the edge around it.

use crate::{auth, config::Config, telemetry};

/// Serves until the process is told to end.
///
/// # Errors
/// When the data cannot be opened, or the address is taken.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let _secret = auth::secret(&config)?;
    let address = (config.server.host.as_str(), config.server.port);
    let listener = tokio::net::TcpListener::bind(address).await?;
    telemetry::listening(listener.local_addr()?);
    std::future::pending().await
}
