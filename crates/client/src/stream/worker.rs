//! The task that owns the stream: it asks in order, and matches answers in the same order.

use std::{collections::VecDeque, mem, pin::pin, ptr, time::Duration};

use proto::{
    StreamVerifyRequest, StreamVerifyResponse, VerifyResult, stream_verify_response as stream, verify_result,
};
use tokio::{
    select,
    sync::mpsc::{self, Receiver, Sender},
    time::sleep,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Streaming};

use super::{Asked, IN_FLIGHT};
use crate::{
    batch,
    calls::{Calls, PROBE_PART},
    deadline::Deadline,
    decision::Decision,
    error::Error,
    nodes::Turn,
    retry::{self, RetryBudget},
};

/// Opens a stream whenever there is something to ask, until every handle is gone.
pub(super) async fn run(calls: Calls, asked: Receiver<Asked>) {
    // A stream that breaks may have all of its questions asked again.
    let retries = RetryBudget::of(IN_FLIGHT as u32);
    let mut worker = Worker { calls: &calls, retries, asked, waiting: VecDeque::new() };
    let mut failed = None;
    while worker.has_work().await {
        let turn = match failed {
            Some(node) => Turn { node: calls.nodes().instead_of(node), probes: false },
            None => calls.nodes().next(),
        };
        let node = turn.node;
        let ended = match worker.open(turn).await {
            Ok(open) => {
                node.record(&Ok(()));
                worker.converse(open).await
            }
            Err(error) => {
                // What waits to be asked meets the same node, and is not to find that out one by one.
                worker.take_all_asked();
                Err(error)
            }
        };
        node.record(&ended);
        failed = Some(node);
        match ended {
            Ok(()) => return,
            Err(error) => {
                let elsewhere = !ptr::eq(calls.nodes().instead_of(node), node);
                worker.settle(&error, retry::wait(&error, elsewhere)).await;
            }
        }
    }
}

struct Worker<'a> {
    calls: &'a Calls,
    retries: RetryBudget,
    asked: Receiver<Asked>,
    /// Asked over the stream, in order, and not answered yet; at most `IN_FLIGHT`.
    waiting: VecDeque<Asked>,
}

struct Open {
    questions: Sender<StreamVerifyRequest>,
    answers: Streaming<StreamVerifyResponse>,
}

impl Worker<'_> {
    /// Waits for a question whose caller is still there; `false` once every handle is gone.
    async fn has_work(&mut self) -> bool {
        self.waiting.retain(|asked| !asked.answer.is_closed());
        while self.waiting.is_empty() {
            match self.asked.recv().await {
                Some(next) if next.answer.is_closed() => {}
                Some(next) => self.waiting.push_back(next),
                None => return false,
            }
        }
        true
    }

    /// Opens a stream, and asks again what an earlier one left unanswered.
    async fn open(&self, Turn { node, probes }: Turn<'_>) -> Result<Open, Error> {
        // As large as `waiting` may be, so that asking never waits and answers are always read.
        let (questions, outgoing) = mpsc::channel(IN_FLIGHT);
        self.waiting.iter().for_each(|asked| ask(&questions, asked));
        let mut request = Request::new(ReceiverStream::new(outgoing));
        // The server takes it as the patience of each question, and not as the life of the stream.
        request.set_timeout(self.calls.deadline());
        let mut stub = node.stub();
        let opening = async { Ok(stub.stream_verify(request).await?.into_inner()) };
        let part = if probes { PROBE_PART } else { 1 };
        let answers = Deadline::after(self.calls.deadline() / part).bound(opening).await?;
        Ok(Open { questions, answers })
    }

    /// Asks over one stream until it ends; `Ok` once every handle is gone.
    async fn converse(&mut self, Open { questions, mut answers }: Open) -> Result<(), Error> {
        let mut silence = pin!(sleep(self.calls.deadline()));
        loop {
            select! {
                answer = answers.message() => {
                    let answer = answer?.ok_or_else(|| Error::unavailable("the stream has ended"))?;
                    let asked = self.waiting.pop_front();
                    let asked = asked.ok_or_else(|| Error::fault("an answer came without a question"))?;
                    self.retries.deposit();
                    asked.give(read(answer));
                    silence.set(sleep(self.calls.deadline()));
                }
                next = self.asked.recv(), if self.waiting.len() < IN_FLIGHT => {
                    let Some(next) = next else { return Ok(()) };
                    if next.answer.is_closed() {
                        continue;
                    }
                    if self.waiting.is_empty() {
                        silence.set(sleep(self.calls.deadline()));
                    }
                    ask(&questions, &next);
                    self.waiting.push_back(next);
                }
                // The callers that asked before this silence have given up by now; another stream may lead to a node that
                // answers the others.
                () = &mut silence, if !self.waiting.is_empty() => return Err(Error::deadline()),
            }
        }
    }

    fn take_all_asked(&mut self) {
        while self.waiting.len() < IN_FLIGHT
            && let Ok(next) = self.asked.try_recv()
        {
            self.waiting.push_back(next);
        }
    }

    /// After a stream ended with `error`: keeps what may be asked a second time after `wait`, and fails the rest.
    async fn settle(&mut self, error: &Error, wait: Duration) {
        // A stream that fell silent says nothing about the questions that have time left.
        let retry = error.is_transient() || error.is_silence();
        for mut asked in mem::take(&mut self.waiting) {
            if retry && !asked.again && wait < asked.deadline.left() && self.retries.withdraw() {
                asked.again = true;
                self.waiting.push_back(asked);
            } else {
                asked.give(Err(error.clone()));
            }
        }
        if !self.waiting.is_empty() && !wait.is_zero() {
            sleep(wait).await;
        }
    }
}

/// Without effect on a stream that has ended: why is what its answers end with.
fn ask(questions: &Sender<StreamVerifyRequest>, asked: &Asked) {
    drop(questions.try_send(StreamVerifyRequest { request: Some(asked.question.clone()) }));
}

fn read(answer: StreamVerifyResponse) -> Result<Decision, Error> {
    batch::read(VerifyResult {
        result: answer.result.map(|result| match result {
            stream::Result::Decision(decision) => verify_result::Result::Decision(decision),
            stream::Result::Error(error) => verify_result::Result::Error(error),
        }),
    })
}

impl Asked {
    /// A caller that is gone needs no answer.
    fn give(self, answer: Result<Decision, Error>) {
        drop(self.answer.send(answer));
    }
}
