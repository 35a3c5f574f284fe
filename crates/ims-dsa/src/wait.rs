// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Waiting for descriptors of a queue: for whose, and until when.

use ims_vfio::Hold;

use crate::client::Pasid;

/// Which submitters' descriptors are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    All,
    Of(Option<Pasid>),
}

impl Whose {
    pub(crate) fn includes(self, pasid: Option<Pasid>) -> bool {
        match self {
            Self::All => true,
            Self::Of(only) => only == pasid,
        }
    }
}

/// Until when a hold is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// All that is meant has ended.
    Ended,
    /// The same, or the engines stop: whoever waits wants to know.
    Stopped,
}

/// Somebody waits until what was accepted before a mark has ended.
pub(crate) struct Wait {
    pub(crate) mark: u64,
    pub(crate) whose: Whose,
    /// Of these, how many wait to be started and how many are executed.
    pub(crate) waiting: usize,
    pub(crate) active: usize,
    pub(crate) until: Until,
    pub(crate) hold: Hold,
}

impl Wait {
    /// Whether it is waited for this descriptor.
    pub(crate) fn means(&self, sequence: u64, pasid: Option<Pasid>) -> bool {
        sequence < self.mark && self.whose.includes(pasid)
    }

    /// Whether nothing is waited for any longer, `running` being whether engines
    /// start more.
    pub(crate) fn is_over(&self, running: bool) -> bool {
        let stopped = self.until == Until::Stopped && !running;
        self.active == 0 && (self.waiting == 0 || stopped)
    }
}
