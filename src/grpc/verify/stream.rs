//! StreamVerify: answers in the order of the questions, read no faster than they are taken.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt, Stream, StreamExt};
use tonic::{Status, Streaming};

use crate::{
    grpc::{
        closing::Closing,
        proto::StreamVerifyRequest,
        status::{self, unauthenticated},
        transport_status::explained,
    },
    ports::{Credentials, Moment},
    service::{Session, Verifier},
};

use super::{
    generated::{StreamVerifyResponse, stream_verify_response},
    several::{Started, TOGETHER, Verified, start},
};

pub(in crate::grpc) struct Answers<C> {
    verifier: Arc<Verifier<C>>,
    questions: Streaming<StreamVerifyRequest>,
    /// Answers that are not taken yet, or still being read, in order; empty as long as every key is at hand.
    waiting: VecDeque<Waiting>,
    /// The caller's own credential, or its examination.
    caller: Caller,
    patience: Duration,
    closing: Closing,
    told: Pin<Box<dyn Future<Output = ()> + Send>>,
    end: Option<End>,
}

/// Why nothing more is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nobody asks any more.
    Asked,
    /// This node stops.
    Closing,
}

enum Waiting {
    Done(Verified),
    Read(Pin<Box<dyn Future<Output = Verified> + Send>>),
}

enum Caller {
    Known(Arc<Session>),
    Examined(Pin<Box<dyn Future<Output = Result<Arc<Session>, Status>> + Send>>),
    Refused,
}

impl<C: Credentials> Answers<C> {
    pub(super) fn new(
        verifier: Arc<Verifier<C>>,
        session: Arc<Session>,
        questions: Streaming<StreamVerifyRequest>,
        patience: Duration,
        closing: &Closing,
    ) -> Self {
        Self {
            verifier,
            questions,
            waiting: VecDeque::new(),
            caller: Caller::Known(session),
            patience,
            closing: closing.clone(),
            told: Box::pin(closing.clone().told()),
            end: None,
        }
    }

    /// Looks at the caller's credential again when it may have changed.
    fn poll_caller(&mut self, context: &mut Context<'_>, moment: Moment) -> Poll<Result<(), Status>> {
        if let Caller::Known(session) = &self.caller {
            if self.verifier.goes_on(session, moment) {
                return Poll::Ready(Ok(()));
            }
            let (verifier, session) = (self.verifier.clone(), session.clone());
            self.caller = Caller::Examined(Box::pin(async move {
                verifier.renew(&session).await?.map(Arc::new).ok_or_else(unauthenticated)
            }));
        }
        // Proven this very moment is good enough, even when the next change may already be there.
        match &mut self.caller {
            Caller::Examined(examination) => {
                self.caller = Caller::Known(ready!(examination.poll_unpin(context))?);
                Poll::Ready(Ok(()))
            }
            Caller::Known(_) => Poll::Ready(Ok(())),
            Caller::Refused => Poll::Ready(Err(unauthenticated())),
        }
    }

    /// Asks for as much as may wait; `Ready` with an answer that is to be given at once.
    fn poll_questions(
        &mut self,
        context: &mut Context<'_>,
        moment: Moment,
    ) -> Poll<Option<Result<Verified, Status>>> {
        while self.end.is_none() && self.waiting.len() < TOGETHER {
            let question = match ready!(self.questions.poll_next_unpin(context)) {
                Some(Ok(question)) => question.request.unwrap_or_default(),
                Some(Err(status)) => {
                    self.end = Some(End::Asked);
                    return Poll::Ready(Some(Err(explained(status))));
                }
                None => {
                    self.end = Some(End::Asked);
                    break;
                }
            };
            match start(&self.verifier, question, self.patience, moment) {
                Started::Done(verified) if self.waiting.is_empty() => return Poll::Ready(Some(Ok(verified))),
                Started::Done(verified) => self.waiting.push_back(Waiting::Done(verified)),
                Started::Read(read) => {
                    let mut read: Pin<Box<dyn Future<Output = Verified> + Send>> = Box::pin(read);
                    self.waiting.push_back(match read.poll_unpin(context) {
                        Poll::Ready(verified) => Waiting::Done(verified),
                        Poll::Pending => Waiting::Read(read),
                    });
                }
            }
        }
        match self.end {
            Some(End::Asked) if self.waiting.is_empty() => Poll::Ready(None),
            Some(End::Closing) if self.waiting.is_empty() => {
                self.end = Some(End::Asked);
                Poll::Ready(Some(Err(status::closing())))
            }
            _ => Poll::Pending,
        }
    }

    /// The first of those that wait, once it is done; the others go on meanwhile.
    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<Verified> {
        for waiting in &mut self.waiting {
            if let Waiting::Read(read) = waiting
                && let Poll::Ready(verified) = read.poll_unpin(context)
            {
                *waiting = Waiting::Done(verified);
            }
        }
        match self.waiting.pop_front() {
            Some(Waiting::Done(verified)) => Poll::Ready(verified),
            Some(read) => {
                self.waiting.push_front(read);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }
}

impl<C: Credentials> Stream for Answers<C> {
    type Item = Result<StreamVerifyResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let moment = this.verifier.moment();
        if matches!(this.caller, Caller::Refused) {
            return Poll::Ready(None);
        }
        if let Err(status) = ready!(this.poll_caller(context, moment)) {
            this.caller = Caller::Refused;
            return Poll::Ready(Some(Err(status)));
        }
        if this.end.is_none() && this.closing.is_told() {
            this.end = Some(End::Closing);
        }
        if !this.waiting.is_empty()
            && let Poll::Ready(verified) = this.poll_waiting(context)
        {
            return Poll::Ready(Some(Ok(response(verified))));
        }
        match this.poll_questions(context, moment) {
            Poll::Ready(Some(answer)) => Poll::Ready(Some(answer.map(response))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if let Poll::Ready(verified) = this.poll_waiting(context) {
                    return Poll::Ready(Some(Ok(response(verified))));
                }
                if this.end.is_none() && this.told.poll_unpin(context).is_ready() {
                    // What is asked already is still answered.
                    this.end = Some(End::Closing);
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    }
}

impl<C> fmt::Debug for Answers<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

fn response(verified: Verified) -> StreamVerifyResponse {
    let result = match verified {
        Ok(answer) => stream_verify_response::Result::Decision(answer),
        Err(error) => stream_verify_response::Result::Error(error),
    };
    StreamVerifyResponse { result: Some(result) }
}
