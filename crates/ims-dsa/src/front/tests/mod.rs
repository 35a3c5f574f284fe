// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The front as software sees it, before engines of this crate.

mod commands;
mod configured;
mod driver;
mod enable;
mod event_log;
mod halt;
mod hostile;
mod linux;
mod portals;
mod registers;
mod software_error;
mod waiting;
mod world;

use std::sync::Arc;

use ims_vfio::Hold;

use driver::Driver;
use world::World;

use super::*;
use crate::layout::command::{Command, CommandError};
use crate::layout::registers::{self as reg, cause};
use crate::layout::tables;
use crate::testing::{PAGE, Paged};
use crate::{InterruptTable, Pasid};
