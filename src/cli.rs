//! The command line: what `collabflow` is asked to do, and with which exit code it ends.
//!
//! 0 is done, 1 failed, 2 wrong use or wrong configuration. Answers go to standard output, all else to standard error.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};
use collabflow_protocol::{id::UserId, model::UserBrief};

use crate::{
    auth::{self, Tokens},
    config::Config,
    demo, server, telemetry,
};

const WRONG_USE: u8 = 2;

/// A realtime collaboration server: boards, presence and chat over Socket.IO and REST.
#[derive(Debug, Parser)]
#[command(
    name = "collabflow",
    version,
    about,
    after_help = "Without a command it serves.",
    override_usage = "collabflow [--config <FILE>] [token | demo | config | help]"
)]
struct Cli {
    /// A TOML file of settings; `.env` and the environment override it
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a token for a user, and nothing else
    #[command(
        override_usage = "collabflow token --user-id <ID> --name <NAME> --email <EMAIL> [--ttl <DURATION>]"
    )]
    Token(TokenArgs),
    /// Fill the embedded store with two users, a project and a channel to try things with
    Demo,
    /// Print the effective configuration, secrets masked
    Config,
}

#[derive(Debug, Args)]
struct TokenArgs {
    /// Whose it is: 24 hexadecimal characters
    #[arg(long, value_name = "ID")]
    user_id: UserId,
    /// The name to show where the store has no such user
    #[arg(long)]
    name: String,
    /// The email to show where the store has no such user
    #[arg(long)]
    email: String,
    /// How long it lives, such as 12h or 7d; as long as auth.token_ttl if not given
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    ttl: Option<Duration>,
}

/// Does what the arguments of the process ask for.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let config = match Config::load(cli.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return fail(WRONG_USE, &error),
    };
    telemetry::start(&config.log.filter);
    let result = match cli.command {
        None | Some(Command::Demo) if let Err(error) = config.check() => {
            return fail(WRONG_USE, &error);
        }
        None => {
            if config.redis.url.is_none() {
                tracing::info!("REDIS_URL is not set: this node runs on its own");
            }
            block_on(server::serve(config))
        }
        Some(Command::Demo) => block_on(demo::run(&config)).and_then(|demo| answer(&demo)),
        Some(Command::Config) => answer(&config.to_toml()),
        Some(Command::Token(args)) => token(&config, args).and_then(|token| answer(&token)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format!("{error:#}")),
    }
}

fn token(config: &Config, args: TokenArgs) -> anyhow::Result<String> {
    let tokens = Tokens::new(&auth::secret(config)?, &config.auth);
    let user = UserBrief {
        id: args.user_id,
        name: args.name,
        email: Some(args.email),
    };
    Ok(tokens.issue_for(&user, args.ttl.unwrap_or(config.auth.token_ttl)))
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

fn answer(text: &impl ToString) -> anyhow::Result<()> {
    let text = text.to_string();
    Ok(writeln!(io::stdout(), "{}", text.trim_end())?)
}

fn fail(code: u8, error: &impl ToString) -> ExitCode {
    // With standard error closed, the exit code says what is left to say.
    let _ = writeln!(io::stderr(), "collabflow: {}", error.to_string());
    ExitCode::from(code)
}
