//! Load on a server, and its results.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    task::{JoinHandle, LocalSet, spawn_local},
    time::sleep,
};

use crate::{
    Fallible, clock,
    numbers::{float, quantile},
    pacer::{Pace, Pacer},
    requests::Requests,
    server::Server,
    wire::{Calls, Connection, Flow, Shape, Tally, Tick},
};

/// Counts, for all connections of a load together.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    decisions: Cell<u64>,
    wrong: Cell<u64>,
    over: Cell<bool>,
    /// In nanoseconds, while they are taken.
    latencies: RefCell<Vec<u64>>,
    timing: Cell<bool>,
}

/// How many connections, and how many messages in flight on each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Width {
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
}

#[derive(Debug)]
pub(crate) struct Load {
    lanes: Vec<Lane>,
    in_flight: usize,
    tolerant: bool,
}

#[derive(Debug)]
enum Lane {
    Calls(Calls),
    Flow(Flow),
}

/// The results of one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Decisions per second.
    pub(crate) rate: f64,
    /// CPU time of the server for one decision, in microseconds.
    pub(crate) cpu: f64,
    /// The share of answers that were not as expected.
    pub(crate) wrong: f64,
    /// Quantiles of the latency, in microseconds, if it was measured.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Meter {
    pub(crate) fn is_over(&self) -> bool {
        self.over.get()
    }

    pub(crate) fn count(&self, tally: Tally) {
        self.decisions.set(self.decisions.get() + tally.decisions);
        self.wrong.set(self.wrong.get() + tally.wrong);
    }

    /// A call ended without an answer.
    pub(crate) fn failed(&self) {
        self.count(Tally { decisions: 1, wrong: 1 });
    }

    pub(crate) fn latency(&self, latency: Duration) {
        if self.timing.get() {
            let nanos = u64::try_from(latency.as_nanos()).expect("the number fits");
            self.latencies.borrow_mut().push(nanos);
        }
    }

    fn quantile(&self, share: f64) -> f64 {
        let mut latencies = self.latencies.borrow_mut();
        latencies.sort_unstable();
        quantile(&latencies, share) / 1000.0
    }
}

impl Load {
    /// Connects to `server`'s `method`. Each connection sends requests at random, or its share of each request once.
    pub(crate) async fn open(
        server: &Server,
        method: &'static str,
        requests: &Requests,
        width: Width,
        once: bool,
    ) -> io::Result<Self> {
        let mut lanes = Vec::with_capacity(width.connections);
        for number in 0..width.connections {
            let requests =
                if once { requests.each_once(number, width.connections) } else { requests.at_random(number) };
            let connection = Connection::open(&server.target(method)).await?;
            lanes.push(match method {
                "StreamVerify" => Lane::Flow(Flow::new(connection, requests)),
                "BatchVerify" => Lane::Calls(Calls::new(connection, requests, Shape::Wrapped)),
                _ => Lane::Calls(Calls::new(connection, requests, Shape::One)),
            });
        }
        Ok(Self { lanes, in_flight: width.in_flight, tolerant: false })
    }

    /// From now on, unexpected responses are counted and cause no failure.
    pub(crate) fn tolerate(&mut self) {
        self.tolerant = true;
    }

    /// As much load as the server takes: `warm_up` unmeasured, then for `span`.
    pub(crate) async fn saturate(
        &mut self,
        server: &Server,
        warm_up: Duration,
        span: Duration,
    ) -> Fallible<Measured> {
        let meter = Rc::<Meter>::default();
        let ends = async {
            sleep(warm_up).await;
            let start = Mark::now(server, &meter);
            sleep(span).await;
            let end = Mark::now(server, &meter);
            meter.over.set(true);
            end.since(&start)
        };
        self.run(&meter, ends, None).await.map_err(|error| server.explain(error))
    }

    /// Until each request was sent once.
    pub(crate) async fn exhaust(&mut self, server: &Server) -> Fallible<Measured> {
        for lane in &mut self.lanes {
            if let Lane::Calls(calls) = lane {
                calls.rewind();
            }
        }
        let meter = Rc::<Meter>::default();
        let start = Mark::now(server, &meter);
        self.run(&meter, async {}, None).await.map_err(|error| server.explain(error))?;
        let measured = Mark::now(server, &meter).since(&start);
        Ok(measured)
    }

    /// Makes the calls that are due by `pace`, whether or not earlier ones are answered, until `span` is over.
    pub(crate) async fn pace(
        &mut self,
        server: &Server,
        pace: Pace,
        warm_up: Duration,
        span: impl Future<Output = ()>,
    ) -> Fallible<Measured> {
        let meter = Rc::<Meter>::default();
        let (senders, receivers) = self.lanes.iter().map(|_| mpsc::unbounded_channel()).unzip();
        let pacer = Pacer::start(senders, pace);
        let ends = async {
            sleep(warm_up).await;
            meter.timing.set(true);
            let start = Mark::now(server, &meter);
            span.await;
            let end = Mark::now(server, &meter);
            meter.timing.set(false);
            pacer.stop();
            meter.over.set(true);
            end.since(&start)
        };
        let measured = self.run(&meter, ends, Some(receivers)).await;
        let measured = measured.map_err(|error| server.explain(error))?;
        Ok(Measured { p50: meter.quantile(0.5), p99: meter.quantile(0.99), ..measured })
    }

    /// Drives every connection until `ends` has stopped them; fails if a response was not as expected.
    async fn run<T>(
        &mut self,
        meter: &Rc<Meter>,
        ends: impl Future<Output = T>,
        paces: Option<Vec<mpsc::UnboundedReceiver<Tick>>>,
    ) -> Fallible<T> {
        let in_flight = self.in_flight;
        let mut paces = paces.map(Vec::into_iter);
        let lanes = std::mem::take(&mut self.lanes);
        let ended = LocalSet::new()
            .run_until(async {
                let tasks: Vec<JoinHandle<io::Result<Lane>>> = lanes
                    .into_iter()
                    .map(|lane| {
                        let meter = meter.clone();
                        let pace = paces.as_mut().and_then(Iterator::next);
                        spawn_local(async move {
                            Ok(match (lane, pace) {
                                (Lane::Calls(calls), Some(ticks)) => {
                                    Lane::Calls(calls.pace(ticks, meter).await?)
                                }
                                (Lane::Calls(calls), None) => {
                                    Lane::Calls(calls.keep(in_flight, meter).await?)
                                }
                                (Lane::Flow(flow), _) => Lane::Flow(flow.keep(in_flight, meter).await?),
                            })
                        })
                    })
                    .collect();
                let ended = ends.await;
                for task in tasks {
                    self.lanes.push(task.await??);
                }
                Fallible::Ok(ended)
            })
            .await?;
        match meter.wrong.get() {
            wrong if wrong == 0 || self.tolerant => Ok(ended),
            wrong => {
                let all = meter.decisions.get();
                Err(format!("{wrong} of {all} answers were not as expected").into())
            }
        }
    }
}

/// A moment, with the counts at that time.
struct Mark {
    time: Instant,
    cpu: Duration,
    decisions: u64,
    wrong: u64,
}

impl Mark {
    fn now(server: &Server, meter: &Meter) -> Self {
        Self {
            time: clock::now(),
            cpu: server.cpu(),
            decisions: meter.decisions.get(),
            wrong: meter.wrong.get(),
        }
    }

    fn since(&self, start: &Self) -> Measured {
        let decisions = self.decisions - start.decisions;
        let each = |span: Duration| span.as_secs_f64() / float(decisions.max(1));
        Measured {
            rate: 1.0 / each(self.time - start.time),
            cpu: each(self.cpu.saturating_sub(start.cpu)) * 1e6,
            wrong: float(self.wrong - start.wrong) / float(decisions.max(1)),
            p50: f64::NAN,
            p99: f64::NAN,
        }
    }
}
