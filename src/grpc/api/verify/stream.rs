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
use proto::StreamVerifyRequest;
use tokio::time::Interval;
use tonic::{Status, Streaming};

use crate::{
    grpc::{
        transport::{authenticate::looks, closing::Closing},
        wire::{
            status::{self, unauthenticated},
            transport_status::{LARGEST_MESSAGE, explained},
        },
    },
    ports::{Credentials, Moment},
    verbs::{Error, Session, Verifier},
};

use super::{
    EncodedItem,
    batch::{Started, TOGETHER, Verified, start},
};

pub(in crate::grpc) struct Answers<C> {
    verifier: Arc<Verifier<C>>,
    questions: Streaming<StreamVerifyRequest>,
    /// Answers that are not taken yet, or still being read, in order; empty as long as every key is cached.
    waiting: VecDeque<Waiting>,
    /// The caller's own credential, or its examination.
    caller: Caller,
    /// When the caller's credential is looked at again though nothing is asked.
    looks: Interval,
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
    Examined(Arc<Session>, Pin<Box<dyn Future<Output = Result<Option<Session>, Error>> + Send>>),
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
            looks: looks(),
            patience,
            closing: closing.clone(),
            told: Box::pin(closing.clone().told()),
            end: None,
        }
    }

    /// Looks at the caller's credential again when it may have changed.
    fn poll_caller(&mut self, context: &mut Context<'_>, moment: Moment) -> Poll<Result<(), Status>> {
        if let Caller::Known(session) = &self.caller {
            if self.verifier.stands(session, moment) {
                return Poll::Ready(Ok(()));
            }
            let (verifier, examined) = (self.verifier.clone(), session.clone());
            let examination = Box::pin(async move { verifier.renew(&examined).await });
            self.caller = Caller::Examined(session.clone(), examination);
        }
        // Proven this very moment is good enough, even when the next change may already be there.
        let (caller, answer) = match &mut self.caller {
            Caller::Examined(session, examination) => match ready!(examination.poll_unpin(context)) {
                Ok(Some(renewed)) => (Caller::Known(Arc::new(renewed)), Ok(())),
                Ok(None) => (Caller::Refused, Err(unauthenticated())),
                // Whether it still stands could not be found out.
                Err(error) => (Caller::Known(session.clone()), Err(error.into())),
            },
            Caller::Known(_) => return Poll::Ready(Ok(())),
            Caller::Refused => return Poll::Ready(Err(unauthenticated())),
        };
        self.caller = caller;
        Poll::Ready(answer)
    }

    /// Pending while nothing is asked or to be answered; then the caller is looked at again in a while.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let idle = self.waiting.is_empty()
            && self.end.is_none()
            && self.questions.poll_next_unpin(context).is_pending()
            && self.told.poll_unpin(context).is_pending();
        if !idle {
            return Poll::Ready(());
        }
        self.look_again(context);
        Poll::Pending
    }

    fn look_again(&mut self, context: &mut Context<'_>) {
        if self.looks.poll_tick(context).is_ready() {
            context.waker().wake_by_ref();
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
                Some(Ok(question)) => {
                    if let Caller::Known(session) = &self.caller {
                        self.verifier.note_session(session, moment);
                    }
                    question.request.unwrap_or_default()
                }
                Some(Err(status)) => {
                    self.end = Some(End::Asked);
                    return Poll::Ready(Some(Err(explained(status, LARGEST_MESSAGE))));
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
    type Item = Result<EncodedItem, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let moment = this.verifier.moment();
        if matches!(this.caller, Caller::Refused) {
            return Poll::Ready(None);
        }
        if let Err(status) = ready!(this.poll_caller(context, moment)) {
            // Without the database nobody new is let in, but who asks nothing need not be sent away.
            if matches!(this.caller, Caller::Known(_)) && this.poll_idle(context).is_pending() {
                return Poll::Pending;
            }
            this.caller = Caller::Refused;
            return Poll::Ready(Some(Err(status)));
        }
        if this.end.is_none() && this.closing.is_told() {
            this.end = Some(End::Closing);
        }
        if !this.waiting.is_empty()
            && let Poll::Ready(verified) = this.poll_waiting(context)
        {
            return Poll::Ready(Some(Ok(verified.into())));
        }
        match this.poll_questions(context, moment) {
            Poll::Ready(Some(answer)) => Poll::Ready(Some(answer.map(EncodedItem::from))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if let Poll::Ready(verified) = this.poll_waiting(context) {
                    return Poll::Ready(Some(Ok(verified.into())));
                }
                if this.end.is_none() && this.told.poll_unpin(context).is_ready() {
                    // What is asked already is still answered.
                    this.end = Some(End::Closing);
                    context.waker().wake_by_ref();
                }
                this.look_again(context);
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
