//! Telemetry of our server during measurements: a collector receives its traces, and its metrics are read once a second.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::Duration,
};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tokio::{
    net::TcpListener,
    runtime::Builder,
    time::{sleep, timeout},
};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use crate::Fallible;

static SPANS: AtomicU64 = AtomicU64::new(0);

/// The address of the collector, which all servers share; it runs as long as this process.
pub(crate) fn collector() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let incoming = TcpIncoming::from(TcpListener::from_std(listener).expect("a listener"));
                let server = Server::builder().add_service(TraceServiceServer::new(Spans));
                server.serve_with_incoming(incoming).await.expect("the collector serves");
            });
        });
        address
    })
}

struct Spans;

#[tonic::async_trait]
impl TraceService for Spans {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans;
        let spans = resources.iter().flat_map(|it| &it.scope_spans).map(|it| it.spans.len() as u64);
        SPANS.fetch_add(spans.sum(), Relaxed);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Reads a server's metrics until it is dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Reader {
    pub(crate) fn of(address: SocketAddr) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        thread::spawn({
            let stopped = stopped.clone();
            move || {
                // The server may not be up yet, or no longer.
                while !stopped.load(SeqCst) {
                    let _ = read(address);
                    thread::sleep(Duration::from_secs(1));
                }
            }
        });
        Self { address, stopped }
    }

    /// Fails if the server's telemetry has not this many verifications: then it ran without the telemetry of production.
    pub(crate) async fn assert_reported(&self, verifications: u64) -> Fallible<()> {
        let text = read(self.address)?;
        let sum = |name: &str| {
            let lines = text.lines().filter(|line| line.starts_with(name));
            lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum::<u64>()
        };
        let (decided, timed) =
            (sum("keystile_verifications_total{"), sum("rpc_server_call_duration_seconds_count{"));
        if decided.min(timed) < verifications {
            return Err(format!("of {verifications} calls, {decided} were counted and {timed} timed").into());
        }
        // Traces are sent every five seconds.
        let span = async {
            while SPANS.load(Relaxed) == 0 {
                sleep(Duration::from_millis(100)).await;
            }
        };
        Ok(timeout(Duration::from_secs(30), span).await.map_err(|_| "no call was traced")?)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stopped.store(true, SeqCst);
    }
}

fn read(address: SocketAddr) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: keystile\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    connection.read_to_string(&mut text)?;
    Ok(text)
}
