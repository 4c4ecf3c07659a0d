#!/bin/bash
# Certificates for tests: make_certificates.sh DIR. Each NAME is NAME.pem and NAME.key, on the curve P-256:
#
#   ca, other_ca          two authorities
#   server, renewed       by ca, for localhost and 127.0.0.1; another serial number each
#   elsewhere             by ca, for the name elsewhere.example
#   expired               by ca, for localhost, until 2020
#   stranger              by other_ca, for localhost
#   client                by ca, for a client
set -euo pipefail
umask 077
cd "$1"

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; } # NAME

authority() { # NAME
  key "$1"
  openssl req -x509 -new -key "$1.key" -sha256 -days 30 -subj "/CN=$1 of a test" -out "$1.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
}

# The command "ca" is the one that can make a certificate of the past.
certificate() { # NAME CA EXTENSIONS [START END]
  key "$1"
  openssl req -new -key "$1.key" -sha256 -subj "/CN=$1" -out "$1.csr"
  printf '%s\n' '[ca]' default_ca=d '[d]' database=index.txt rand_serial=yes default_md=sha256 policy=p \
    new_certs_dir=. unique_subject=no '[p]' commonName=supplied '[e]' "$3" >ca.conf
  : >index.txt
  local validity=(-days 30)
  (( $# == 3 )) || validity=(-startdate "$4" -enddate "$5")
  openssl ca -batch -notext -config ca.conf -extensions e -cert "$2.pem" -keyfile "$2.key" -in "$1.csr" -out "$1.pem" \
    "${validity[@]}" 2>ca.log || { cat ca.log >&2; exit 1; }
}

local_name=subjectAltName=DNS:localhost,IP:127.0.0.1
authority ca
authority other_ca
certificate server ca "$local_name"
certificate renewed ca "$local_name"
certificate elsewhere ca subjectAltName=DNS:elsewhere.example
certificate expired ca "$local_name" 20190101000000Z 20200101000000Z
certificate stranger other_ca "$local_name"
certificate client ca extendedKeyUsage=clientAuth
rm -f ./*.csr ca.conf ca.log index.txt* ./[0-9A-F]*.pem
