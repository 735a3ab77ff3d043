"""What a shell completes: ``words`` are the values of arguments and options, ``shells`` how bash and zsh take them."""
