// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `ims run` is told on its command line.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::error::ScenarioError;
use super::field::{FIELDS, Field};
use super::file::{self, Origins};
use super::{Scenario, capacity};
use crate::given::{Given, GivenError, Origin, Shown};

/// What `ims run` is told.
#[derive(Debug, Default, Args)]
pub(crate) struct RunArgs {
    /// A file that states the scenario; flags override it
    #[arg(value_name = "SCENARIO.toml")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fields: FieldFlags,
    /// Print the report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Write what happened to each interrupt; as JSON lines if the name ends in
    /// .json or .jsonl
    #[arg(long, value_name = "FILE")]
    pub(crate) interrupts: Option<PathBuf>,
}

/// One flag for each field of a scenario, with the text it was given.
#[derive(Debug, Default)]
pub(crate) struct FieldFlags {
    given: Vec<(&'static Field, String)>,
}

impl RunArgs {
    /// The scenario: defaults, overridden by the file, overridden by flags.
    ///
    /// # Errors
    /// [`ScenarioError`], for the first thing that is wrong.
    pub(crate) fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let mut scenario = Scenario::default();
        let mut origins = Origins::new();
        if let Some(path) = &self.file {
            file::read(path, &mut scenario, &mut origins)?;
        }
        for (field, text) in &self.fields.given {
            let origin = Origin::Flag(field.name);
            if !field.kind.set(&mut scenario, Given::flag(text)) {
                let given = Shown::new(text);
                let right = field.kind.to_string();
                return Err(GivenError::Value {
                    origin,
                    field: field.name,
                    given,
                    right,
                }
                .into());
            }
            origins.insert(field.name, origin);
        }
        capacity::check(&scenario, &origins)?;
        Ok(scenario)
    }
}

impl Args for FieldFlags {
    fn augment_args(command: Command) -> Command {
        let default = Scenario::default();
        let flags = FIELDS.iter().map(|field| {
            let Field {
                name, about, kind, ..
            } = field;
            let help = format!("{about}: {kind} [default: {}]", kind.text(&default));
            // A negative number is told what would be right, not taken for a flag.
            Arg::new(*name)
                .long(*name)
                .value_name("VALUE")
                .allow_negative_numbers(true)
                .help(help)
        });
        command.args(flags)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FieldFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let given = |field: &'static Field| {
            let text = matches.get_one::<String>(field.name)?;
            Some((field, text.clone()))
        };
        self.given.extend(FIELDS.iter().filter_map(given));
        Ok(())
    }
}
