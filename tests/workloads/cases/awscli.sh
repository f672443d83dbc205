# image: tools

set -e
aws --version
AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b aws --region eu-west-1 --endpoint-url http://127.0.0.1:1 --cli-connect-timeout 1 s3 ls 2>&1 | tail -1
aws configure set region eu-west-2 && cat ~/.aws/config
aws s3 help 2>&1 | head -3 | wc -l
