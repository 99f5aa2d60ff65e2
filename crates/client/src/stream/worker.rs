//! The task that owns the stream: it asks in order, and matches answers in the same order.

use std::{collections::VecDeque, mem, pin::pin};

use proto::{
    StreamVerifyRequest, StreamVerifyResponse, VerifyResult, stream_verify_response as stream, verify_result,
};
use tokio::{
    select,
    sync::mpsc::{self, Receiver, Sender},
    time::sleep,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{Asked, IN_FLIGHT};
use crate::{
    batch,
    calls::{Calls, Stub},
    deadline::Deadline,
    decision::Decision,
    error::Error,
};

/// Opens a stream whenever there is something to ask, until every handle is gone.
pub(super) async fn run(calls: Calls, asked: Receiver<Asked>) {
    let mut worker = Worker { calls: &calls, asked, waiting: VecDeque::new() };
    while worker.has_work().await {
        let node = calls.nodes().next();
        let ended = match worker.open(node.stub()).await {
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
        match ended {
            Ok(()) => return,
            Err(error) => worker.settle(&error).await,
        }
    }
}

struct Worker<'a> {
    calls: &'a Calls,
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
    async fn open(&self, mut stub: Stub) -> Result<Open, Error> {
        // As large as `waiting` may be, so that asking never waits and answers are always read.
        let (questions, outgoing) = mpsc::channel(IN_FLIGHT);
        self.waiting.iter().for_each(|asked| ask(&questions, asked));
        let opening = async { Ok(stub.stream_verify(ReceiverStream::new(outgoing)).await?.into_inner()) };
        let answers = Deadline::after(self.calls.deadline()).bound(opening).await?;
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
                    self.calls.retries().deposit();
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
                // The first caller has given up by now; another stream may lead to a node that answers.
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

    /// After a stream ended with `error`: keeps what may be asked a second time, and fails the rest.
    async fn settle(&mut self, error: &Error) {
        if self.waiting.is_empty() {
            return;
        }
        let retry = self.calls.retries().retry(error, self.calls.deadline());
        for mut asked in mem::take(&mut self.waiting) {
            if retry.is_some() && !asked.again {
                asked.again = true;
                self.waiting.push_back(asked);
            } else {
                asked.give(Err(error.clone()));
            }
        }
        if let Some(wait) = retry.filter(|_| !self.waiting.is_empty()) {
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
