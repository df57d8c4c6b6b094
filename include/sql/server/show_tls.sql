-- The cipher of this connection; empty means plain text.
SHOW SESSION STATUS LIKE 'Ssl_cipher'
