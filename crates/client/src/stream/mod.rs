//! Questions from many tasks over one stream.

mod worker;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::{calls::Calls, deadline::Deadline, decision::Decision, error::Error, question::Question};

/// Questions that wait for their answer, and as many that wait to be asked.
const IN_FLIGHT: usize = 1_024;

/// Asks over one bidirectional stream, from any number of tasks: clones share it.
///
/// The stream is opened when it is first asked, and again after it broke or the node stopped; what was not answered by
/// then is asked again, once. Each call ends within the client's deadline. A call that is dropped costs the others
/// nothing. Beyond 1,024 questions in flight further ones wait.
///
/// Answers come in the order of the questions: one that has to be read from the database holds up the ones behind it.
#[derive(Debug, Clone)]
pub struct VerifyStream {
    asked: mpsc::Sender<Asked>,
    deadline: Duration,
}

/// A question with the way back to the one who asked.
#[derive(Debug)]
struct Asked {
    question: proto::VerifyRequest,
    answer: oneshot::Sender<Result<Decision, Error>>,
    deadline: Deadline,
    /// It was on a stream that broke.
    again: bool,
}

impl VerifyStream {
    pub(crate) fn new(calls: Calls) -> Self {
        let (asked, questions) = mpsc::channel(IN_FLIGHT);
        let deadline = calls.deadline();
        tokio::spawn(worker::run(calls, questions));
        Self { asked, deadline }
    }

    /// Decides about one API key.
    pub async fn verify(&self, question: Question) -> Result<Decision, Error> {
        let (answer, answered) = oneshot::channel();
        let deadline = Deadline::after(self.deadline);
        let asked = Asked { question: question.into_message()?, answer, deadline, again: false };
        let asking = async {
            self.asked.send(asked).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?
        };
        deadline.bound(asking).await
    }
}

/// Only where the runtime that the stream was made in has ended.
fn gone() -> Error {
    Error::unavailable("the task of the stream has ended")
}
