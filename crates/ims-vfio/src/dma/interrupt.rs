// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupt messages to the client: writes to addresses that are no memory.

use ims::message::Message;

use super::error::DmaError;
use super::session::Session;

impl Session {
    /// Has the client take an interrupt message: a write of its data, 4 bytes, to
    /// its address, whatever is mapped. `then` is told what the client said, on the
    /// thread that receives answers; until then the session goes on.
    ///
    /// What was written before by messages, and answered, is there when it arrives.
    /// Without bus mastering there is no session, and so no message.
    pub fn interrupt(
        &self,
        message: Message,
        then: impl FnOnce(Result<(), DmaError>) + Send + 'static,
    ) {
        let remote = match self.remote() {
            Ok(remote) => remote,
            Err(error) => return then(Err(error)),
        };
        let pass = self.pass().clone();
        let answered = Box::new(move |answer: Result<(), _>| {
            then(answer.map_err(DmaError::Remote));
            drop(pass);
        });
        remote.write(message.address, &message.data.to_le_bytes(), answered);
        if self.is_ended() {
            // Whoever ended the session may have looked before this was sent.
            remote.abandon(None);
        }
    }

    /// The same without an answer: it is fast, and nobody learns of a refusal.
    ///
    /// # Errors
    /// [`DmaError`] if it cannot be sent.
    pub fn post_interrupt(&self, message: Message) -> Result<(), DmaError> {
        let remote = self.remote()?;
        remote
            .post(message.address, &message.data.to_le_bytes())
            .map_err(DmaError::Remote)
    }
}
